#!/usr/bin/env python3
"""Distances between a reference and the windows after it, by SciPy, and thresholds by permutations of its own, for
tests/unit/distances_expected.h."""
import warnings

import numpy as np
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency, ks_2samp, wasserstein_distance

from detect_streams import Source, stream

warnings.simplefilter("ignore")


def bins(reference, window, count):
    """Shares of the reference's quantiles. A value that holds a share by itself stands alone."""
    share = len(reference) / count
    values, counts = np.unique(reference, return_counts=True)
    heavy = values[counts >= share - 1e-9]
    edges = np.sort(reference)[[int(np.ceil(j * share - 1e-9)) - 1 for j in range(1, count)]]
    # Cuts after each quantile, and on both sides of a heavy value.
    above = np.unique(np.concatenate([edges, heavy]))
    cells = []
    for sample in (reference, window):
        place = 2 * np.searchsorted(above, sample, side="left").astype(float)
        on_heavy = np.isin(sample, heavy)
        place[on_heavy] += 0.5  # apart from what is below it, up to the cut before
        cells.append(place)
    names = np.unique(np.concatenate(cells))
    return [np.array([(c == n).sum() for n in names], dtype=float) for c in cells]


def psi(p, q):
    p, q = p + 0.5, q + 0.5
    p, q = p / p.sum(), q / q.sum()
    return ((q - p) * np.log(q / p)).sum()


OF_BINS = {
    "psi": psi,
    "js": lambda p, q: jensenshannon(p, q),
    "chi2": lambda p, q: chi2_contingency(np.array([p, q]), correction=False)[0],
}
OF_VALUES = {"ks": lambda a, b: ks_2samp(a, b).statistic, "wasserstein": wasserstein_distance}


def distance(name, reference, window, count=10):
    if name in OF_BINS:
        return OF_BINS[name](*bins(reference, window, count))
    return OF_VALUES[name](reference, window)


def threshold(name, reference, window_size, alpha, deals=700):
    rng, n = np.random.default_rng(1), len(reference)
    second = min(window_size, n // 2)
    found = np.empty(deals)
    for i in range(deals):
        order = rng.permutation(n)
        found[i] = distance(name, reference[order[second:]], reference[order[:second]])
    factor = (1 / n + 1 / window_size) / (1 / second + 1 / (n - second))
    return np.quantile(found, 1 - alpha) * {"psi": factor, "chi2": 1}.get(name, np.sqrt(factor))


def category_events(source, shifted):
    """Forty counts over five categories; the last ones grow rarer, and the other way round where shifted."""
    counts = [0] * 5
    for _ in range(40):
        i = int(5 * source.uniform() * source.uniform())
        counts[4 - i if shifted else i] += 1
    return counts


def histogram_events(source, shifted):
    """Fifty values of a sum of two uniforms in twenty bins of 0.1, three bins higher where shifted."""
    counts = [0] * 20
    for _ in range(50):
        i = int(10 * (source.uniform() + source.uniform()))
        counts[min(i + (3 if shifted else 0), 19)] += 1
    return counts


def print_rows():
    print("static const struct { const char *detector; int reference, window; const char *stream; int windows; double "
          "distance[12], threshold; } distances[] = {")
    for name in list(OF_BINS) + list(OF_VALUES):
        for reference, window, names in ((500, 200, "step variance shares errors"), (300, 100, "unit latency")):
            for s in names.split():
                v = np.array(stream(s))
                windows = [v[i:i + window] for i in range(reference, len(v) - window + 1, window)][:12]
                found = [distance(name, v[:reference], w) for w in windows]
                print('    {"%s", %d, %d, "%s", %d, {%s}, %.6g},' %
                      (name, reference, window, s, len(found), ", ".join("%.9g" % d for d in found),
                       threshold(name, v[:reference], window, 0.05)))
    print("};")
    print("static const struct { const char *detector; double same, shifted; } category_distances[] = {")
    for name, measure in OF_BINS.items():
        source = Source(77)
        sums = [sum(np.array(category_events(source, s)) for _ in range(n)) for n, s in ((50, 0), (20, 0), (20, 1))]
        print('    {"%s", %.9g, %.9g},' % (name, measure(sums[0].astype(float), sums[1].astype(float)),
                                          measure(sums[0].astype(float), sums[2].astype(float))))
    print("};")
    print("static const struct { const char *detector; double same, shifted; } histogram_distances[] = {")
    middles = np.arange(20) / 10 + 0.05
    for name in OF_VALUES:
        source = Source(78)
        sums = [sum(np.array(histogram_events(source, s)) for _ in range(n)) for n, s in ((50, 0), (20, 0), (20, 1))]
        if name == "ks":
            measure = lambda a, b: abs(a.cumsum() / a.sum() - b.cumsum() / b.sum()).max()
        else:
            measure = lambda a, b: wasserstein_distance(middles, middles, a, b)
        print('    {"%s", %.9g, %.9g},' % (name, measure(sums[0], sums[1]), measure(sums[0], sums[2])))
    print("};")


if __name__ == "__main__":
    print_rows()
