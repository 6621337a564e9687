#!/usr/bin/env python3
"""Run lengths and limits of control charts with NumPy and SciPy, for tests/unit/calibrate_expected.h.

Run lengths: the integral equation at 100 Gauss-Legendre nodes, an ordinary linear solve. Limits: SciPy's brentq. Estimated
references: the expectation of the rate over mean and deviation by SciPy's own distributions, every run length solved
exactly. Winsorising: a Markov chain on a fine grid whose steps are cut off, not a perturbation."""
import numpy as np
from scipy.optimize import brentq
from scipy.stats import chi2, norm

CUSUM, EWMA, SHEWHART = 0, 1, 2


def solve(keep, take, slack, low, high, held, shift, scale, start, n=100):
    x, w = np.polynomial.legendre.leggauss(n)
    y, w = 0.5 * (high - low) * x + 0.5 * (high + low), 0.5 * (high - low) * w
    sd = take * scale
    points = np.append(y, [low, start])
    centre = keep * points + take * shift - slack
    K = w * norm.pdf(y[None, :], centre[:, None], sd)
    atom = norm.cdf((low - centre) / sd) if held else np.zeros(n + 2)
    A = np.zeros((n + 1, n + 1))
    A[:, :n], A[:, n] = K[:n + 1], atom[:n + 1]
    L = np.linalg.solve(np.eye(n + 1) - A, np.ones(n + 1))
    if held and start == low:
        return L[n]
    return 1 + K[n + 1] @ L[:n] + atom[n + 1] * L[n]


def length(kind, two, param, head, limit, shift=0.0, scale=1.0, n=100):
    if kind == SHEWHART:
        up = norm.sf((limit - shift) / scale)
        return 1 / (up + (norm.sf((limit + shift) / scale) if two else 0))
    if kind == EWMA:
        settled = np.sqrt(param / (2 - param))
        low = -limit * settled if two else -9 * scale * settled + min(shift, 0)
        return solve(1 - param, param, 0, low, limit * settled, not two, shift, scale, 0.0, n)
    side = lambda d, s: solve(1, 1, param, 0.0, limit, True, d, scale, s, n)
    if not two:
        return side(shift, head * limit)
    u0, d0, us, ds = side(shift, 0.0), side(-shift, 0.0), side(shift, head * limit), side(-shift, head * limit)
    return (us * d0 + ds * u0 - u0 * d0) / (u0 + d0)


def root(f, low, factor, xtol):
    """An ordinary solve breaks down where run lengths are astronomic: the bracket grows from below."""
    high = low * factor
    while f(high) < 0:
        low, high = high, high * factor
    return brentq(f, low, high, xtol=xtol)


def limit_for(kind, two, param, head, run):
    return root(lambda h: np.log(length(kind, two, param, head, h, n=100) / run), 0.5, 1.5, 1e-10)


def estimated(kind, two, param, limit, m, nu, n=36):
    """1 / E[1 / ARL], Gauss-Legendre over +-6 deviations of either."""
    x, w = np.polynomial.legendre.leggauss(14)
    z, wz = 6 * x, 6 * w * norm.pdf(6 * x)
    ratio = np.sqrt(chi2.ppf(norm.cdf(z), nu) / nu)
    rate = sum(wz[i] * wz[j] / length(kind, two, param, 0, limit, z[i] / np.sqrt(m) / ratio[j], 1 / ratio[j], n)
               for i in range(14) for j in range(14))
    return wz.sum() ** 2 / rate


def estimated_limit(kind, two, param, run, m, nu):
    start = limit_for(kind, two, param, 0, run)
    return root(lambda h: np.log(estimated(kind, two, param, h, m, nu) / run), start, 1.2, 1e-3)


def cut_chain(keep, take, slack, low, high, held, start, cut, n=400):
    """Mean run length of the chain on a grid; each step's normal is cut off at +-cut, its mass put there."""
    edges = np.linspace(low, high, n + 1)
    middles = 0.5 * (edges[1:] + edges[:-1])
    points = np.append(middles, low)

    def cdf(x):
        return np.where(x >= cut, 1.0, np.where(x < -cut, 0.0, norm.cdf(x)))

    F = cdf((edges[None, :] - (keep * points[:, None] - slack)) / take)
    P = np.zeros((n + 1, n + 1))
    P[:, :n] = np.diff(F, axis=1)
    # Mass that is put on a point lies between two middles, not at one of them.
    for sign in (1, -1):
        at = keep * points - slack + take * sign * cut
        mass = norm.sf(cut)
        inside = (at > middles[0]) & (at < middles[-1])
        for i in np.where(inside)[0]:
            cell = min(int((at[i] - low) / (high - low) * n), n - 1)
            P[i, cell] -= mass
            left = int((at[i] - middles[0]) / (middles[1] - middles[0]))
            part = (at[i] - middles[left]) / (middles[1] - middles[0])
            P[i, left] += mass * (1 - part)
            P[i, left + 1] += mass * part
    if held:
        P[:, n] = F[:, 0]
    L = np.linalg.solve(np.eye(n + 1) - P, np.ones(n + 1))
    return L[n] if held else np.interp(start, middles, L[:n])


def cut_for(kind, param, limit, change):
    if kind == CUSUM:
        args = (1, 1, param, 0.0, limit, True, 0.0)
    else:
        high = limit * np.sqrt(param / (2 - param))
        args = (1 - param, param, 0, -high, high, False, 0.0)
    whole = cut_chain(*args, cut=30.0)
    return brentq(lambda w: cut_chain(*args, cut=w) / whole - 1 - change, 2.0, 5.0, xtol=1e-4)


RUNS = [(CUSUM, two, k, head, h, shift) for two, k, head, h in
        ((1, 0.5, 0, 4), (1, 0.5, 0, 5), (1, 0.5, 0.5, 5), (0, 0.5, 0, 9.662), (0, 0.25, 0.3, 8), (1, 1.0, 0, 2.5))
        for shift in (0, 0.5, 1, 2)] + \
       [(EWMA, two, lam, 0, L, shift) for two, lam, L in ((1, 0.1, 2.814), (1, 0.2, 2.962), (0, 0.05, 3), (1, 1, 3))
        for shift in (0, 0.5, 1, 2)] + [(SHEWHART, 1, 0, 0, 3, shift) for shift in (0, 1, 2, 3)]
LIMITS = [(CUSUM, 1, 0.5, 0, 1e3), (CUSUM, 1, 0.5, 0, 1e6), (CUSUM, 0, 0.5, 0, 1e4), (CUSUM, 0, 0.25, 0.5, 1e4),
          (EWMA, 1, 0.1, 0, 500), (EWMA, 0, 0.1, 0, 1e5), (EWMA, 1, 0.3, 0, 1e4), (SHEWHART, 1, 0, 0, 370.4)]
ESTIMATED = [(CUSUM, 1, 0.5, 1e4, 500, 500), (CUSUM, 0, 0.5, 1e4, 100, 33), (CUSUM, 0, 0.2, 1e3, 500, 166),
             (EWMA, 1, 0.1, 1e4, 500, 166), (EWMA, 0, 0.2, 1e5, 100, 90), (SHEWHART, 1, 0, 1e5, 100, 90)]
CUTS = [(CUSUM, 0.5, 5.071), (CUSUM, 0.5, 8.053), (CUSUM, 0.25, 8), (EWMA, 0.1, 2.814), (EWMA, 0.2, 3.5)]

if __name__ == "__main__":
    print("static const struct { int kind; double two_sided, param, head_start, limit, shift, length; } runs[] = {")
    for kind, two, param, head, limit, shift in RUNS:
        print("    {%d, %d, %g, %g, %g, %g, %.9g}," % (kind, two, param, head, limit, shift,
                                                      length(kind, two, param, head, limit, shift)))
    print("};")
    print("static const struct { int kind; double two_sided, param, head_start, length, limit; } limits[] = {")
    for kind, two, param, head, run in LIMITS:
        print("    {%d, %d, %g, %g, %g, %.6f}," % (kind, two, param, head, run, limit_for(kind, two, param, head, run)))
    print("};")
    print("static const struct { int kind; double two_sided, param, length, values, freedom, limit; } estimates[] = {")
    for kind, two, param, run, m, nu in ESTIMATED:
        print("    {%d, %d, %g, %g, %g, %g, %.3f}," % (kind, two, param, run, m, nu,
                                                       estimated_limit(kind, two, param, run, m, nu)))
    print("};")
    print("static const struct { int kind; double param, limit, cut; } cuts[] = {")
    for kind, param, limit in CUTS:
        print("    {%d, %g, %g, %.3f}," % (kind, param, limit, cut_for(kind, param, limit, 0.01)))
    print("};")
