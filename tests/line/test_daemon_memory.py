"""The memory that the log says the configuration allows, against what the daemon takes when it is used up."""
import json
import os
import unittest

import line
from line import Daemon

MODELS, WINDOW = 2000, 128
METRICS = ("accuracy", "latency_ms", "processed_fps", "brightness", "mean_confidence")
KPIS = """
budgets:
  - models: "*"
    window: 128
    min_events: 1
    kpis:
      accuracy: {min: 0.1}
      latency_ms: {max: 400, over: p95}
      processed_fps: {min: 0.1}
"""
RULES = """
    drift:
      - {metric: accuracy, detector: cusum, direction: down}
      - {metric: brightness, detector: page_hinkley}
      - {metric: mean_confidence, detector: adwin}
      - {metric: latency_ms, detector: ewma, direction: up}
"""


class Memory(unittest.TestCase):
    def resident(self, daemon):
        with open(f"/proc/{daemon.process.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def fill(self, daemon):
        """Every model that may be, with all that it keeps, and as many again that may not."""
        node = daemon.publisher()
        row = {name: [0.5 + i % 7 / 100 for i in range(WINDOW)] for name in METRICS}
        payload = json.dumps(row).encode()
        for number in range(MODELS * 2):
            node.send_multipart([b"metrics/shop/model-%d/v1" % number, payload])
        return daemon.wait_status(lambda status: status.get("events", 0) == MODELS * WINDOW and
                                  status.get("dropped", {}).get("too_many_models") == MODELS * WINDOW)

    def check(self, budgets):
        with Daemon(budgets=budgets, metrics_more=f"max_models: {MODELS}, queue: 100, max_message: 1MiB") as daemon:
            said = daemon.wait_log(lambda entry: entry["msg"].startswith("the memory that the configuration allows"))
            self.assertEqual(said["max_models"], MODELS)
            self.assertAlmostEqual(said["queue_of_a_connection_mb"], 100 * 4 * 2**20 / 1e6, places=2)
            before = self.resident(daemon)
            self.fill(daemon)
            after = self.resident(daemon)
            if line.sanitized():
                self.skipTest("a sanitizer's own memory says nothing about the daemon's")
            self.assertLess(after / 1e6, said["ceiling_mb"])
            model = (after - before) / MODELS / 1e3
            self.assertLess(model, said["model_kb"])
            # And it is no idle figure either.
            self.assertGreater(model, said["model_kb"] / 8)
            self.assertGreater(said["model_of_64_metrics_kb"], said["model_kb"])

    def test_budgets(self):
        self.check(KPIS)

    def test_detectors(self):
        self.check(KPIS + RULES)

    def test_more_than_the_machine_has(self):
        with Daemon(metrics_more="max_models: 10000000", budgets=KPIS.replace("128", "1000000")) as daemon:
            daemon.wait_log(lambda entry: "would not fit into this machine's memory" in entry["msg"])


if __name__ == "__main__":
    unittest.main()
