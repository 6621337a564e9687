#!/usr/bin/env python3
"""Expected alarms of evidence: sum over starts of the product of bets since then, which is what the Shiryaev-Roberts
recursion adds up (Shin, Ramdas, Rinaldo 2022), for eight bets of equal weight."""
import numpy as np

from detect_streams import table


class Evidence:
    def __init__(self, budget, alpha=0.001, direction="down", low=0.0, high=1.0):
        self.low, self.high, self.down = low, high, direction == "down"
        self.alpha, self.m = alpha, self.scale(budget)
        self.bets = 0.9 / self.m / 2.0 ** np.arange(8)
        self.products = np.zeros((0, 8))  # one row for each start

    def scale(self, value):
        x = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return 1 - x if self.down else x

    def add(self, value):
        x = self.scale(value)
        self.products = np.vstack([self.products, np.ones(8)]) * (1 + self.bets * (x - self.m))
        if self.products.sum(axis=0).mean() >= 1 / self.alpha:
            self.products = np.zeros((0, 8))
            return "drift"
        return "none"


if __name__ == "__main__":
    table("evidence", Evidence, [
        ("budget=0.2 direction=up", "errors shares rare"),
        ("budget=0.15 direction=up alpha=0.0001", "errors shares rare"),
        ("budget=0.4", "unit"),
        ("budget=-0.5 low=-6 high=6 alpha=0.0001", "fall steady"),
        ("budget=0.5 direction=up low=-2 high=2", "step steady"),
    ])
