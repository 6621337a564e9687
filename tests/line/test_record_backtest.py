"""What the daemon decides, and what a backtest of its recording decides: the same, to the last bit, through the life of
requests and through an orderly restart."""
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import unittest

import zmq

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import line  # noqa: E402

DRIFTC = os.path.join(line.BUILD, "driftc")
BUDGETS = """
budgets:
  - models: "*"
    window: 8
    min_events: 4
    consecutive_failures: 3
    backoff: 40ms
    recover_after: 6
    false_alarms: 1 per 20000 events
    kpis:
      accuracy: {min: 0.80, over: mean}
      latency_ms: {max: 400, over: p90}
  - models: shop/inside
    drift:
      - {metric: confidence, detector: cusum, direction: down, reference: 100}
      - {metric: brightness, detector: ks, reference: 60, window: 20}
  - models: shop/late
    kpis:
      accuracy: {min: 0.80, test: evidence}
retraining:
  choose: cheapest
  give_up_after: 3
  limits: {concurrent: 100, per_model_per_day: 100000, per_day: 100000, gpu_hours_per_day: 100000}
"""
COSTS = {"bayesian": 3, "grid_search": 8, "pbt": 12}  # GPU-hours of the strategies that there are without any
MODELS = ["shop/detector/v1", "shop/detector/v2", "shop/inside/v1", "shop/late/v1", "shop/lost/v1", "other/ok/v1"]


class Trainer(threading.Thread):
    """Accepts whatever is offered, and has it done at once. Every third attempt fails first."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.jobs = daemon.socket(zmq.PULL, "jobs", rcvhwm=1)
        self.feedback = daemon.socket(zmq.DEALER, "feedback")
        self.over = threading.Event()
        self.done = 0

    def say(self, **members):
        self.feedback.send_multipart([b"", json.dumps(members).encode()])
        while not self.over.is_set():
            if self.feedback.poll(50):
                return json.loads(self.feedback.recv_multipart()[-1])
        return {"ok": False}

    def run(self):
        jobs = 0
        while not self.over.is_set():
            if not self.jobs.poll(20):
                continue
            data = json.loads(self.jobs.recv())["data"]
            who = {"request": data["request"], "attempt": data["attempt"], "trainer": "t"}
            jobs += 1
            if not self.say(say="accept", **who)["ok"]:
                continue
            if jobs % 3 == 0 and data["attempt"] == 1:
                self.say(say="fail", error="no memory", **who)
            elif self.say(say="done", version="next", gpu_hours=1, **who)["ok"]:
                self.done += 1

    def end(self):
        self.over.set()
        self.join(line.PATIENCE_S)
        self.jobs.close()
        self.feedback.close()


class Record(unittest.TestCase):
    def start_recorder(self, daemon, path):
        recorder = subprocess.Popen([DRIFTC, "--socket", daemon.endpoints["control"], "--json", "--timeout", "60", "record",
                                     path], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(recorder.stdout.close)
        self.addCleanup(recorder.stderr.close)
        self.addCleanup(recorder.wait)
        self.addCleanup(recorder.kill)
        self.wait_recorded(daemon)
        return recorder

    def wait_recorded(self, daemon):
        daemon.wait_status(lambda status: status["recording"]["on"])

    def end_recorder(self, recorder):
        recorder.send_signal(signal.SIGTERM)
        out, err = recorder.communicate(timeout=line.PATIENCE_S)
        self.assertEqual(recorder.returncode, 0, err)
        return json.loads(out)

    def send(self, node, source, bad, sent):
        """One event of every model, in all the forms that there are."""
        events = []
        for model in MODELS:
            ill = bad and not model.startswith("other") or model == "shop/lost/v1"
            event = {"latency_ms": source.lognormvariate(5, 0.1), "brightness": source.gauss(0, 1) + (2 if bad else 0),
                     "confidence": source.gauss(0.6 if bad else 0.8, 0.05), "timestamp": 1764000000 + sent / 7}
            if source.random() < 0.8:
                event["accuracy"] = min(1, max(0, source.gauss(0.6 if ill and "inside" not in model else 0.9, 0.05)))
            events.append((model, event))
        form = source.randrange(3)
        if form == 0:
            for model, event in events:
                node.send_multipart([b"metrics/" + model.encode(), line.event(**event)])
            return len(events)
        if form == 1:
            node.send_multipart([b"batch/n", json.dumps([dict(event, model=model) for model, event in events]).encode()])
            return len(events)
        model, event = events[source.randrange(len(events))]
        rows = {name: [value] * 3 for name, value in event.items() if name != "timestamp"}
        node.send_multipart([b"metrics/" + model.encode(), line.event(**rows)])
        return 3

    def drive(self, daemon, trainer, source, sent, done):
        """Sick and well by turns, until so many requests have been done, or all models that can be are given up."""
        node = daemon.publisher()
        self.here = 0
        rounds = 0
        while rounds < 30 or (trainer.done < done and rounds < 300):
            bad = rounds > 12 and rounds % 6 > 2
            for _ in range(15):
                count = self.send(node, source, bad, sent)
                sent += count
                self.here += count
            daemon.wait_status(lambda status: status.get("events", 0) == self.here)
            rounds += 1
            if rounds == 16:
                self.assertTrue(daemon.ask("silence", pattern="shop/detector", for_s=0.2, reason="a test")["ok"])
        node.close()
        return sent

    def triggers_of(self, daemon):
        """What the daemon's log says of each of its triggers, in order, a list a model."""
        found = {}
        for entry in daemon.events:
            if entry["msg"].startswith("drift: "):
                found.setdefault(entry["model"], []).append(
                    (entry["rule"], entry.get("observed", entry.get("statistic")), entry.get("limit", entry.get("threshold"))))
        return found

    def backtest(self, daemon, path, *more):
        done = subprocess.run([DRIFTC, *more, "backtest", "--config", daemon.config, path], capture_output=True, text=True,
                              timeout=line.PATIENCE_S * 2)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr, "")
        return done.stdout

    def compare(self, daemon, path, expected, requested):
        report = json.loads(self.backtest(daemon, path, "--json"))
        with open(path) as file:
            lines = [json.loads(text) for text in file]
        events = [at for at in lines if "transition" not in at and "stands" not in at]
        self.assertEqual(report["events"], len(events))
        self.assertTrue(all("model" in at and "received_at" in at for at in lines))
        found = {}
        for trigger in report["triggers"]:
            at = lines[trigger["line"]]
            self.assertEqual((at["model"], at["received_at"]), (trigger["model"], trigger["time"]))
            found.setdefault(trigger["model"], []).append(
                (trigger["rule"], trigger["observed"], trigger["limit"]))
        self.assertEqual({model: [t[0] for t in triggers] for model, triggers in found.items()},
                         {model: [t[0] for t in triggers] for model, triggers in expected.items()})
        for model, triggers in found.items():
            for one, other in zip(triggers, expected[model]):
                for i in (1, 2):  # the log has seven digits; of evidence it says how strong it is, not the mean
                    if "evidence" not in one[0]:
                        self.assertAlmostEqual(one[i] / float(other[i]), 1, places=5)
        self.assertEqual(report["false_alarms"], len(report["triggers"]))
        # Each request is made by a trigger; what its job says of it is the very same text.
        figures = {(t["model"], t["rule"], t["observed"], t["limit"]) for t in report["triggers"]}
        for request in requested:
            trigger = request["trigger"]
            self.assertIn((request["model"], trigger["rule"], trigger["observed"], trigger["limit"]), figures)
        return report

    def compare_requests(self, report, text, lines, listed):
        """Which triggers made a request, and what was spent: the daemon's own, whatever the order of the threads."""
        rows = [row for row in text.splitlines() if re.match(r"\d{4}-", row)]
        self.assertEqual(len(rows), len(report["triggers"]))
        made = [(trigger["model"], trigger["rule"], trigger["observed"], trigger["limit"])
                for trigger, row in zip(report["triggers"], rows) if "retraining by" in row]
        asked = [(request["model"], *(request["trigger"][name] for name in ("rule", "observed", "limit"))) for request in listed]
        self.assertEqual(sorted(made), sorted(asked))
        self.assertEqual(int(re.search(r"; (\d+) asked for a retraining", text).group(1)), len(listed))
        # Attempts are asked for as well: one for each request, and one for each that failed.
        steps = [at["transition"] for at in lines if "transition" in at]
        failed = [step["data"]["strategy"] for step in steps if step["type"] == "driftd.retraining.failed"]
        self.assertGreater(len(failed), 0)
        self.assertEqual(report["gpu_hours"], sum(COSTS[by] for by in ["bayesian"] * len(listed) + failed))

    def story(self, workers, restart):
        source = random.Random(5)
        with line.Daemon(workers=workers, budgets=BUDGETS, jobs_more="retry: {first: 10ms, max: 20ms}") as daemon:
            path = os.path.join(daemon.folder, "recording.jsonl")
            recorder = self.start_recorder(daemon, path)
            expected, sent = {}, 0
            for run in range(2 if restart else 1):
                if run:
                    self.assertEqual(daemon.stop(), 0)
                    for model, triggers in self.triggers_of(daemon).items():
                        expected.setdefault(model, []).extend(triggers)
                    daemon.start()
                    self.wait_recorded(daemon)
                trainer = Trainer(daemon)
                trainer.start()
                sent = self.drive(daemon, trainer, source, sent, 8)
                trainer.end()
                daemon.ask("status")
            told = self.end_recorder(recorder)
            self.assertEqual((told["events"], told["lost"]), (sent, 0))
            listed = daemon.ask("requests")["requests"]
            self.assertEqual(daemon.stop(), 0)
            for model, triggers in self.triggers_of(daemon).items():
                expected.setdefault(model, []).extend(triggers)
            self.assertGreater(len(expected), 3)
            report = self.compare(daemon, path, expected, listed)
            self.assertIn("shop/inside/v1", expected)
            text = self.backtest(daemon, path)
            self.compare_requests(report, text, lines_of(path), listed)
            self.assertIn("Requests whose recorded life was followed", text)
            self.assertNotIn("so that the daemon may have decided otherwise", text)
            self.assertNotIn("did not ask for", text)
            self.assertNotIn("began anew", text)  # an orderly restart forgets nothing

    def test_in_ingest(self):
        self.story("0", False)

    def test_in_workers(self):
        self.story("2", False)

    def test_through_a_restart(self):
        self.story("2", True)


def lines_of(path):
    with open(path) as file:
        return [json.loads(text) for text in file]


if __name__ == "__main__":
    unittest.main()
