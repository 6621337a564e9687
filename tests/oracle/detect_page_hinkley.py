#!/usr/bin/env python3
"""Expected alarms of page_hinkley: cumulative sums against their running extremes (Page 1954; Hinkley 1971)."""
import numpy as np

from detect_streams import table


class PageHinkley:
    def __init__(self, min_instances=30, delta=0.005, threshold=50, alpha=0.9999, direction="both", reference=0):
        self.least, self.delta, self.threshold, self.alpha = int(min_instances), delta, threshold, alpha
        self.direction, self.reference = direction, int(reference)
        self.begin()

    def begin(self):
        self.learnt, self.values, self.ups, self.downs = [], [], [0.0], [0.0]

    def add(self, x):
        if len(self.learnt) < self.reference:
            self.learnt.append(x)
            return "none"
        if self.reference:
            x = (x - np.mean(self.learnt)) / np.std(self.learnt, ddof=1)
        self.values.append(x)
        apart = x - sum(self.values) / len(self.values)
        self.ups.append(self.alpha * self.ups[-1] + apart - self.delta)
        self.downs.append(self.alpha * self.downs[-1] + apart + self.delta)
        if len(self.values) < self.least:
            return "none"
        # The extremes are over the sums that values have made; the start is none of them.
        rise = self.ups[-1] - min(self.ups[1:])
        drop = max(self.downs[1:]) - self.downs[-1]
        alarm = (rise > self.threshold and self.direction != "down") or (drop > self.threshold and self.direction != "up")
        if alarm:
            self.begin()
        return "drift" if alarm else "none"


if __name__ == "__main__":
    table("page_hinkley", PageHinkley, [
        ("", "steady step fall gradual variance unit errors latency"),
        ("threshold=20 delta=0.05", "steady step fall errors shares"),
        ("direction=up", "step fall"),
        ("direction=down", "step fall"),
        ("reference=200 threshold=25 delta=0.1", "step latency shares"),
    ])
