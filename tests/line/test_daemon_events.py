"""The events socket: two frames, a topic that names type and subject, and a CloudEvents 1.0 object of that type."""
import json
import unittest

import zmq

import line
from test_daemon_line import send

BUDGETS = """
budgets:
  - models: "*"
    window: 4
    min_events: 1
    backoff: 1h
    stale_after: {stale}
    drift: [{{metric: accuracy, detector: cusum, mean: 0.95, sd: 0.01}}]
"""
MODEL = "shop/detector/v1"


class Events(unittest.TestCase):
    last = None  # the number of the last event

    def listen(self, daemon, node):
        """An observer whose subscription has arrived: events of one model after the other, until one of them comes."""
        observer = daemon.socket(zmq.SUB, "events")
        observer.subscribe(b"")
        for i in range(2000):
            for _ in range(5):
                send(node, f"warm/up{i}/v1", {"accuracy": 0.5})
            if observer.poll(20):
                return observer
        raise AssertionError("no event came")

    def wait(self, observer, kind, subject):
        while True:
            topic, body = line.receive_parts(observer)
            event = json.loads(body)
            number = int(event["sequence"])
            self.assertIn(self.last, (None, number - 1))
            self.last = number
            self.assertEqual(event["specversion"], "1.0")
            self.assertEqual(event["datacontenttype"], "application/json")
            self.assertTrue(event["source"].startswith("driftd/"))
            self.assertGreater(line.seconds(event["time"]), 1.6e9)
            self.assertEqual(topic.decode(), event["type"] + ("/" + event["subject"] if "subject" in event else ""))
            if (event["type"], event.get("subject")) == (kind, subject):
                return event

    def test_a_drift_a_loss_and_silence(self):
        with line.Daemon(budgets=BUDGETS.format(stale="1s")) as daemon:
            node = daemon.publisher()
            observer = self.listen(daemon, node)
            for _ in range(5):
                send(node, MODEL, {"accuracy": 0.5, "node": "cam", "boot": "b", "seq": 1})
            event = self.wait(observer, "driftd.drift.detected", MODEL)["data"]
            self.assertEqual(event["model"], {"project": "shop", "name": "detector", "version": "v1"})
            self.assertEqual((event["metric"], event["detector"]), ("accuracy", "cusum"))
            self.assertGreater(event["statistic"], event["threshold"])
            self.assertLess(event["size"], 0)
            requested = self.wait(observer, "driftd.retraining.requested", MODEL)
            self.assertEqual(requested["data"]["model"], event["model"])
            self.assertEqual(requested["id"], f"{requested['data']['request']}/history/{requested['id'].split('/')[2]}")
            send(node, "shop/other/v1", {"accuracy": 0.95, "node": "cam", "boot": "b", "seq": 4})
            send(node, "shop/other/v1", {"accuracy": 0.95, "node": "cam", "boot": "b", "seq": 9})
            lost = self.wait(observer, "driftd.frames.lost", "cam")["data"]
            self.assertEqual((lost["node"], lost["lost"]), ("cam", 4))
            self.assertGreaterEqual(self.wait(observer, "driftd.model.stale", MODEL)["data"]["silent_s"], 1)

    def test_an_observer_may_ask_for_one_kind(self):
        with line.Daemon(budgets=BUDGETS.format(stale="10m")) as daemon:
            node = daemon.publisher()
            everything = self.listen(daemon, node)
            only = daemon.socket(zmq.SUB, "events")
            only.subscribe(b"driftd.drift.detected/shop/")
            for i in range(2000):
                for _ in range(5):
                    send(node, f"shop/m{i}/v1", {"accuracy": 0.5})
                if only.poll(20):
                    break
            self.assertTrue(line.receive_parts(only)[0].startswith(b"driftd.drift.detected/shop/m"))
            everything.close()


if __name__ == "__main__":
    unittest.main()
