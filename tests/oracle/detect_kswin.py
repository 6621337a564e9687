#!/usr/bin/env python3
"""Expected alarms of kswin: SciPy's exact two-sample test of the newest values against all older ones in the window."""
import warnings

from scipy.stats import ks_2samp

from detect_streams import table


class Kswin:
    def __init__(self, alpha=0.005, window_size=100, stat_size=30):
        self.alpha, self.size, self.newer = alpha, int(window_size), int(stat_size)
        self.window = []

    def add(self, x):
        self.window = (self.window + [x])[-self.size:]
        if len(self.window) < self.size:
            return "none"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            test = ks_2samp(self.window[:-self.newer], self.window[-self.newer:], mode="exact")
        if test.pvalue <= self.alpha and test.statistic > 0.1:
            self.window = []
            return "drift"
        return "none"


if __name__ == "__main__":
    table("kswin", Kswin, [
        ("", "steady step variance errors"),
        ("alpha=0.0001", "step gradual variance"),
        ("window_size=60 stat_size=20 alpha=0.001", "step shares"),
    ])
