"""The memory of many models goes into large pages by itself, and goes on holding what it held."""
import json
import re
import unittest
import urllib.request

import line
from line import Daemon

MODELS, METRICS, VALUES = 600, 64, 256
BUDGETS = """
budgets:
  - models: "*"
    window: 256
    min_events: 1
    kpis:
      accuracy: {min: 0.1}
"""


class LargePages(unittest.TestCase):
    def of_the_kernel(self, daemon, name):
        """Bytes of the whole process."""
        with open(f"/proc/{daemon.process.pid}/smaps_rollup") as file:
            return int(re.search(rf"^{name}: +(\d+) kB", file.read(), re.M).group(1)) * 1024

    @unittest.skipIf(line.sanitized(), "a sanitizer's own memory says nothing about the daemon's")
    def test_many_models(self):
        with Daemon(budgets=BUDGETS, http="127.0.0.1:0") as daemon:
            # "driftd runs" comes after the threads: what there is to say has been said.
            why = [entry["why"] for entry in daemon.events if entry["msg"].startswith("memory stays in small pages")]
            if why:
                self.skipTest(why[0])
            before = self.of_the_kernel(daemon, "Rss")
            node = daemon.publisher()
            payload = json.dumps({"accuracy": [0.9] * VALUES, **{
                f"m{i}": [i + n % 7 / 10 for n in range(VALUES)] for i in range(METRICS - 1)}}).encode()
            for number in range(MODELS):
                node.send_multipart([b"metrics/shop/model-%d/v1" % number, payload])
            daemon.wait_status(lambda status: status.get("events", 0) == MODELS * VALUES)
            grown = self.of_the_kernel(daemon, "Rss") - before
            self.assertGreater(grown, 16 << 20)
            told = daemon.wait_status(lambda status: status["memory"]["large_pages"]["bytes"] > grown / 2)
            large = told["memory"]["large_pages"]
            self.assertGreater(large["slowest_ms"], 0)
            self.assertGreater(self.of_the_kernel(daemon, "AnonHugePages"), grown / 2)
            self.assertLess(self.of_the_kernel(daemon, "Rss") - before, grown * 1.1 + (8 << 20))
            with urllib.request.urlopen(f"http://{daemon.http}/metrics", timeout=line.PATIENCE_S) as answer:
                text = answer.read().decode()
            self.assertGreater(int(re.search(r"^driftd_memory_large_pages_bytes (\d+)$", text, re.M).group(1)), grown / 2)
            self.assertRegex(text, r"(?m)^driftd_memory_large_pages_failed_total \d+$")
            model = daemon.ask("model", model=f"shop/model-{MODELS - 1}/v1")
            self.assertEqual((model["events"], len(model["metrics"])), (VALUES, METRICS))


if __name__ == "__main__":
    unittest.main()
