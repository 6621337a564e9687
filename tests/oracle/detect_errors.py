#!/usr/bin/env python3
"""Expected alarms of ddm (Gama 2004), eddm (Baena-Garcia 2006), hddm_a and hddm_w (Frias-Blanco 2015), with the decisions
on record where the papers leave a choice: strict comparisons, warm-ups, and no minimum (maximum) before there is one."""
import numpy as np

from detect_streams import table


class Ddm:
    def __init__(self, warm_start=30, warning_threshold=2, drift_threshold=3):
        self.warm, self.warn, self.drift = warm_start, warning_threshold, drift_threshold
        self.begin()

    def begin(self):
        self.seen, self.best = [], (np.inf, np.inf)

    def add(self, x):
        self.seen.append(x)
        n, p = len(self.seen), np.mean(self.seen)
        s = np.sqrt(p * (1 - p) / n)
        if n <= self.warm or p == 0:
            return "none"
        if p + s <= sum(self.best):
            self.best = (p, s)
        if p + s > self.best[0] + self.drift * self.best[1]:
            self.begin()
            return "drift"
        return "warning" if p + s > self.best[0] + self.warn * self.best[1] else "none"


class Eddm:
    def __init__(self, warm_start=30, alpha=0.95, beta=0.9):
        self.warm, self.alpha, self.beta = warm_start, alpha, beta
        self.begin()

    def begin(self):
        self.n, self.places, self.most, self.warning = 0, [0], -1.0, False

    def add(self, x):
        self.n += 1
        if x == 1:
            self.places.append(self.n)
            distances = np.diff(self.places)
            if len(distances) >= self.warm:
                reach = distances.mean() + 2 * distances.std(ddof=1)
                if reach > self.most:
                    self.most = reach
                elif len(distances) > self.warm:
                    if reach / self.most < self.beta:
                        self.begin()
                        return "drift"
                    self.warning = reach / self.most < self.alpha
        return "warning" if self.warning else "none"


class HddmA:
    def __init__(self, drift_confidence=0.001, warning_confidence=0.005, two_sided="false"):
        self.drift, self.warn, self.two = drift_confidence, warning_confidence, two_sided == "true"
        self.begin()

    def begin(self):
        self.n, self.total, self.low, self.high = 0, 0.0, None, None

    def eps(self, n):
        return np.sqrt(np.log(1 / self.drift) / (2 * n))

    def moved(self, cut, sign, confidence):
        n, mean = cut
        if n == self.n:
            return False
        m = 1 / n - 1 / self.n
        return sign * (self.total / self.n - mean) >= np.sqrt(m / 2 * np.log(2 / confidence))

    def add(self, x):
        self.n += 1
        self.total += x
        now = (self.n, self.total / self.n)
        if self.low is None or self.low[1] + self.eps(self.low[0]) >= now[1] + self.eps(self.n):
            self.low = now
        if self.high is None or self.high[1] - self.eps(self.high[0]) <= now[1] - self.eps(self.n):
            self.high = now
        sides = [(self.low, 1)] + ([(self.high, -1)] if self.two else [])
        if any(self.moved(cut, sign, self.drift) for cut, sign in sides):
            self.begin()
            return "drift"
        return "warning" if any(self.moved(cut, sign, self.warn) for cut, sign in sides) else "none"


class HddmW:
    def __init__(self, drift_confidence=0.001, warning_confidence=0.005, two_sided="false", **more):
        self.drift, self.warn, self.two = drift_confidence, warning_confidence, two_sided == "true"
        self.lam = more.get("lambda", 0.05)
        self.begin()

    def begin(self):
        self.all, self.rise, self.drop = [], None, None

    def averaged(self, values):
        """The average and the sum of its squared weights, in closed form: weights lam (1 - lam)^j, the rest on the first
        value; the bound's recursion starts at 1 before the first value."""
        n, keep = len(values), 1 - self.lam
        weights = self.lam * keep ** np.arange(n)[::-1]
        weights[0] = keep ** (n - 1)
        bound = keep ** (2 * n) + self.lam ** 2 * (1 - keep ** (2 * n)) / (1 - keep ** 2)
        return float(np.dot(weights, values)), bound

    def side(self, kept, sign):
        average, bound = self.averaged(self.all)
        reach = sign * average + np.sqrt(bound * np.log(1 / self.drift) / 2)
        if kept is None or reach < kept[0]:
            return (reach, average, bound, len(self.all))
        return kept

    def moved(self, kept, sign, confidence):
        reach, average, bound, n = kept
        if n == len(self.all):
            return False
        after, more = self.averaged(self.all[n:])
        return sign * (after - average) > np.sqrt((bound + more) * np.log(1 / confidence) / 2)

    def add(self, x):
        self.all.append(x)
        self.rise, self.drop = self.side(self.rise, 1), self.side(self.drop, -1)
        sides = [(self.rise, 1)] + ([(self.drop, -1)] if self.two else [])
        if any(self.moved(kept, sign, self.drift) for kept, sign in sides):
            self.begin()
            return "drift"
        return "warning" if any(self.moved(kept, sign, self.warn) for kept, sign in sides) else "none"


if __name__ == "__main__":
    ERRORS = "errors rare"
    table("ddm", Ddm, [("", ERRORS + " shares unit"), ("warm_start=100 warning_threshold=1.5 drift_threshold=2.5", ERRORS)])
    table("eddm", Eddm, [("", ERRORS), ("alpha=0.8 beta=0.75", ERRORS), ("warm_start=10", ERRORS)])
    table("hddm_a", HddmA, [("", ERRORS + " shares unit"), ("two_sided=true", ERRORS + " unit"),
                            ("drift_confidence=0.01 warning_confidence=0.05", ERRORS)])
    table("hddm_w", HddmW, [("", ERRORS + " shares unit"), ("two_sided=true", ERRORS + " unit"),
                            ("lambda=0.02 drift_confidence=0.01 warning_confidence=0.05", ERRORS)])
