#!/usr/bin/env python3
"""Expected alarms of adwin (Bifet and Gavalda 2007, with the practical cut). The window is kept whole; the exponential
histogram only says where it may be cut."""
import numpy as np

from detect_streams import table


class Adwin:
    def __init__(self, delta=0.002, clock=32, max_buckets=5, min_window_length=5, grace_period=10):
        self.delta, self.clock, self.per_size = delta, int(clock), int(max_buckets)
        self.least, self.grace = int(min_window_length), grace_period
        self.begin()

    def begin(self):
        self.window, self.sizes, self.ticks = [], [], 0  # sizes: oldest first

    def insert(self, x):
        self.window.append(x)
        self.sizes.append(1)
        size = 1
        while self.sizes.count(size) > self.per_size:
            first = self.sizes.index(size)
            self.sizes[first:first + 2] = [2 * size]
            size *= 2

    def cut(self):
        w = np.array(self.window)
        n, var = len(w), w.var()
        dd = np.log(2 * np.log(n) / self.delta)
        for n0 in np.cumsum(self.sizes)[:-1]:
            n1 = n - n0
            if n0 < self.least or n1 < self.least:
                continue
            m = 1 / (n0 - self.least + 1) + 1 / (n1 - self.least + 1)
            if abs(w[:n0].mean() - w[n0:].mean()) > np.sqrt(2 * m * var * dd) + 2 / 3 * dd * m:
                return True
        return False

    def add(self, x):
        self.insert(x)
        self.ticks += 1
        if self.ticks % self.clock == 0 and len(self.window) > self.grace and self.cut():
            self.begin()
            return "drift"
        return "none"


if __name__ == "__main__":
    table("adwin", Adwin, [
        ("", "steady step fall gradual variance unit errors rare shares latency dependent"),
        ("delta=0.2 clock=1", "step unit errors"),
        ("max_buckets=2", "step gradual errors"),
        ("min_window_length=20 clock=8 grace_period=100", "step fall errors"),
        ("max_buckets=1 clock=4", "step"),
    ])
