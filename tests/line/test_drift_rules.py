"""A drift rule from the configuration to the job: a change that stays inside every budget is found, once, and the job
says on which figures."""
import json
import os
import random
import sys
import unittest

import zmq

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import line  # noqa: E402

BUDGETS = """
budgets:
  - models: "*"
    window: 32
    min_events: 16
    false_alarms: 1 per 1000000 events
    event_rate: 1000/s
    kpis:
      accuracy: {min: 0.70, test: evidence}
    drift:
      - {metric: mean_confidence, detector: cusum, direction: down}
"""


def line_of(jobs):
    assert jobs.poll(line.PATIENCE_S * 1000), "no job came"
    return jobs.recv()


class DriftRules(unittest.TestCase):
    def publish(self, node, source, events, confidence):
        for _ in range(events):
            node.send_multipart([b"metrics/shop/detector/v1", line.event(
                accuracy=min(1.0, max(0.0, source.gauss(0.9, 0.03))), mean_confidence=source.gauss(confidence, 0.05))])

    def test_a_change_inside_the_budget(self):
        source = random.Random(2)
        with line.Daemon(jobs_more="feedback: none", budgets=BUDGETS) as daemon:
            jobs = daemon.socket(zmq.PULL, "jobs")
            node = daemon.publisher()
            self.publish(node, source, 1500, 0.8)
            daemon.wait_status(lambda status: status.get("events", 0) == 1500)
            self.assertEqual(daemon.ask("requests")["requests"], [])
            self.publish(node, source, 300, 0.6)
            trigger = json.loads(line_of(jobs))["data"]["trigger"]
            self.assertEqual(trigger["metric"], "mean_confidence")
            evidence = trigger["evidence"]
            self.assertEqual(evidence["detector"], "cusum")
            self.assertGreaterEqual(evidence["statistic"], evidence["threshold"])
            self.assertLess(evidence["size_lower"], evidence["size"])
            self.assertLess(evidence["size"], evidence["size_upper"])
            self.assertLess(evidence["size"], -0.05)
            daemon.wait_status(lambda status: status.get("events", 0) == 1800)
            self.assertEqual(len(daemon.ask("requests")["requests"]), 1)


if __name__ == "__main__":
    unittest.main()
