#!/usr/bin/env python3
"""Expected alarms of cusum, ewma and shewhart, from the textbook formulas (Montgomery, chapter 9; Lucas and Saccucci)."""
import numpy as np

from detect_streams import table


class Chart:
    """The reference: known, or mean and deviation of the first values; then the AR(1), by its lag-1 autocorrelation."""

    def __init__(self, mean=None, sd=None, reference=500, direction="both", prewhiten="false", log="off", **chart):
        self.known = None if mean is None else (mean, sd)
        self.reference, self.direction = int(reference), direction
        self.prewhiten, self.log, self.options = prewhiten == "true", log == "on", chart
        self.begin()

    def begin(self):
        self.values, self.phi = [], 0.0
        self.centre, self.sd = self.known or (None, None)
        self.state = self.start()

    def fit(self):
        v = np.array(self.values)
        if not self.prewhiten:
            self.centre, self.sd = v.mean(), v.std(ddof=1)
            return
        d = v - v.mean()
        phi = (d[1:] * d[:-1]).sum() / (d * d).sum()
        self.phi = phi + (1 + 3 * phi) / len(v)
        u = v[1:] - self.phi * v[:-1]
        self.centre, self.sd = u.mean(), u.std(ddof=1)

    def add(self, x):
        if self.log:
            x = np.log(x)
        if self.known is None and len(self.values) < self.reference:
            self.values.append(x)
            self.previous = x
            if len(self.values) == self.reference:
                self.fit()
            return "none"
        z = (x - self.centre) / self.sd if self.phi == 0 else (x - self.phi * self.previous - self.centre) / self.sd
        self.previous = x
        up, down = self.judge(z)
        alarm = (up and self.direction != "down") or (down and self.direction != "up")
        if alarm:
            self.begin()
        return "drift" if alarm else "none"


class Cusum(Chart):
    def start(self):
        h = self.options.get("h", 5)
        self.up = self.down = self.options.get("head_start", 0) * h

    def judge(self, z):
        k, h = self.options.get("k", 0.5), self.options.get("h", 5)
        self.up = max(0.0, self.up + z - k)
        self.down = max(0.0, self.down - z - k)
        return self.up > h, self.down > h


class Ewma(Chart):
    def start(self):
        self.average = 0.0

    def judge(self, z):
        lam, L = self.options.get("lambda", 0.1), self.options.get("L", 2.814)
        self.average = lam * z + (1 - lam) * self.average
        limit = L * np.sqrt(lam / (2 - lam))
        return self.average > limit, self.average < -limit


class Shewhart(Chart):
    def start(self):
        pass

    def judge(self, z):
        L = self.options.get("L", 3)
        return z > L, z < -L


NORMAL = "steady step fall gradual variance"
if __name__ == "__main__":
    table("cusum", Cusum, [
        ("", NORMAL + " errors shares latency dependent"),
        ("mean=0 sd=1", NORMAL),
        ("mean=0 sd=1 head_start=0.5", "steady step fall"),
        ("mean=0 sd=1 direction=down h=7.361", "steady step fall"),
        ("mean=0 sd=1 direction=up k=0.25 h=8", "steady step gradual"),
        ("reference=100 h=8", NORMAL),
        ("prewhiten=true h=8", "dependent step"),
        ("log=on h=8", "latency"),
    ])
    table("ewma", Ewma, [
        ("", NORMAL + " shares latency"),
        ("mean=0 sd=1", NORMAL),
        ("mean=0 sd=1 lambda=0.2 L=2.962", "steady step fall"),
        ("mean=0 sd=1 direction=down", "step fall"),
        ("prewhiten=true L=3.7", "dependent"),
    ])
    table("shewhart", Shewhart, [
        ("", NORMAL),
        ("mean=0 sd=1", NORMAL),
        ("mean=0 sd=1 L=3.5 direction=up", "variance step"),
    ])
