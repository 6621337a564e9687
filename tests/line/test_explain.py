"""`driftc explain`: what a person reads of a model with four rules, from the daemon and from a file alone."""
import json
import os
import random
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import line  # noqa: E402

DRIFTC = os.path.join(line.BUILD, "driftc")
MODEL = "shop/detector/v1"
BUDGETS = """
budgets:
  - models: "*"
    false_alarms: 1 per 30d
    event_rate: 2/s
    kpis:
      accuracy: {min: 0.80, test: evidence}
  - models: shop
    drift:
      - {metric: accuracy, detector: cusum, direction: down}
      - {metric: latency_ms, detector: ewma, direction: up}
      - {metric: mean_confidence, detector: adwin}
"""


def driftc(*words):
    return subprocess.run([DRIFTC, *words], capture_output=True, text=True, timeout=line.PATIENCE_S)


def rules(answer):
    return {rule["rule"]: rule for rule in answer["rules"]}


class Explain(unittest.TestCase):
    def place_of(self, daemon, text):
        with open(daemon.config) as file:
            return 1 + next(i for i, row in enumerate(file) if text in row)

    def test_before_and_after_the_first_events(self):
        source = random.Random(5)
        with line.Daemon(budgets=BUDGETS) as daemon:
            before = daemon.ask("explain", model=MODEL)
            self.assertTrue(before["ok"])
            self.assertFalse(before["seen"])
            self.assertEqual(set(rules(before)), {"accuracy evidence < 0.8", "accuracy cusum down", "latency_ms ewma up",
                                                  "mean_confidence adwin"})
            node = daemon.publisher()
            for _ in range(900):
                node.send_multipart([b"metrics/" + MODEL.encode(), line.event(
                    accuracy=min(1.0, source.gauss(0.9, 0.02)), latency_ms=source.lognormvariate(4, 0.2),
                    mean_confidence=source.gauss(0.8, 0.01))])
            daemon.wait_status(lambda status: status.get("events", 0) == 900)
            after = daemon.ask("explain", model=MODEL)
            self.assertTrue(after["seen"])
            self.assertEqual(after["events"], 900)
            cusum = rules(after)["accuracy cusum down"]
            self.assertEqual(cusum["file"], daemon.config)
            self.assertEqual(cusum["line"], self.place_of(daemon, "detector: cusum"))
            self.assertEqual(cusum["reference"]["collected"], 500)
            self.assertAlmostEqual(cusum["delays"][0]["shift"], -0.05)
            self.assertLess(cusum["delays"][0]["values"], 60)
            self.assertAlmostEqual(cusum["promise"]["seconds"], 3 * 30 * 86400)
            self.assertAlmostEqual(cusum["promise"]["values"], 2 * 3 * 30 * 86400)
            self.assertIsNone(rules(after)["mean_confidence adwin"]["promise"])
            self.assertIn("cannot be promised", rules(after)["mean_confidence adwin"]["says"][0]["text"])
            self.assertIsInstance(rules(after)["accuracy evidence < 0.8"]["autocorrelation"], float)
            window = next(one for one in after["settings"] if one["key"] == "window")
            self.assertEqual((window["value"], window["file"], window["line"]), ("64", None, None))

            shown = driftc("--socket", daemon.endpoints["control"], "explain", MODEL)
            self.assertEqual((shown.returncode, shown.stderr), (0, ""))
            for part in ("900 events", "once in 30 days on average", "1 rule cannot promise", "a fall of five points (0.05) is seen after",
                         f"driftd.yaml:{cusum['line']}", "kpis.accuracy.min"):
                self.assertIn(part, shown.stdout)
            told = driftc("--socket", daemon.endpoints["control"], "--json", "explain", MODEL)
            self.assertEqual(rules(json.loads(told.stdout)).keys(), rules(after).keys())

            from_file = driftc("--json", "explain", "--config", daemon.config, MODEL)
            self.assertEqual(from_file.returncode, 0, from_file.stderr)
            alone = json.loads(from_file.stdout)
            self.assertEqual((alone["summary"], alone["settings"]), (before["summary"], before["settings"]))
            self.assertEqual([rule["says"] for rule in alone["rules"]], [rule["says"] for rule in before["rules"]])
            refused = driftc("explain", "shop/detector")
            self.assertEqual(refused.returncode, 64)
            self.assertIn("project/name/version", refused.stderr)


if __name__ == "__main__":
    unittest.main()
