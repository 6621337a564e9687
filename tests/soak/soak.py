"""One daemon at full speed for a long time, while it is read anew and its trainers die: does anything grow or get lost?

    make soak                    10^7 events, some seconds
    make soak SOAK=1000000000    10^9, some minutes

Batches of events of a thousand models; one in a hundred falls ill and is well again. A configuration of other budgets is loaded every
few seconds; trainers accept jobs and vanish, or finish them. At the end: as many events as were sent, no drop, every request
accounted for, and the resident set and the descriptors of the second half did not rise.
"""
import json
import os
import random
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "line"))
import zmq  # noqa: E402

import line  # noqa: E402

EVENTS = int(os.environ.get("SOAK", "10000000"))
MODELS, BATCH = 1000, 64
IN_FLIGHT = 2000  # messages: no more, or this side's queue would measure itself
EVERY_S = float(os.environ.get("SOAK_EVERY_S", "3"))  # reloads
SAMPLES = 200
PHASE = 20  # rounds: so long some are ill, and twice so long all are well
JOBS = "accept_within: 500ms, lease: 2s, max_run: 1m, attempts: 3, retry: {first: 100ms, max: 500ms}"
BUDGETS = """
retraining: {{limits: {{concurrent: none, per_model_per_day: none, per_day: none, gpu_hours_per_day: none}}, give_up_after: 1000000}}
budgets:
  - models: "*"
    window: 64
    min_events: 16
    consecutive_failures: 3
    backoff: 500ms
    recover_after: 8
    kpis:
      accuracy: {{min: {least}, over: mean}}
      latency_ms: {{max: 400, over: p95}}
    drift:
      - {{metric: accuracy, detector: page_hinkley, direction: down}}
"""


class Trainers(threading.Thread):
    """Serves jobs on its own sockets; one in three trainers vanishes after it has accepted."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.daemon_, self.stopping, self.done, self.vanished, self.error = daemon, False, 0, 0, None

    def run(self):
        try:
            while not self.stopping:
                self.live()
        except Exception as error:  # the test asks
            self.error = error

    def say(self, feedback, say, job, name):
        feedback.send_json({"say": say, "request": job["request"], "attempt": job["attempt"], "trainer": name, "version": "v2"}
                           if say == "done" else {"say": say, "request": job["request"], "attempt": job["attempt"], "trainer": name})
        return json.loads(line.receive(feedback))["ok"]

    def live(self):
        chance = random.Random(self.done + self.vanished)
        jobs = self.daemon_.socket(zmq.PULL, "jobs", rcvhwm=1)
        feedback = self.daemon_.socket(zmq.REQ, "feedback")
        name = f"t{self.done + self.vanished}"
        for _ in range(20):
            if self.stopping or not jobs.poll(200):
                break
            job = json.loads(jobs.recv())["data"]
            if not self.say(feedback, "accept", job, name):
                continue
            if chance.randrange(3) == 0:
                self.vanished += 1
                break
            self.done += self.say(feedback, "done", job, name)
        jobs.close()
        feedback.close()


class Soak(unittest.TestCase):
    def resident_mb(self):
        with open(f"/proc/{self.daemon.process.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.daemon.process.pid}/fd"))

    def configure(self, number):
        least = 0.80 + number % 2 / 100
        self.daemon.write_config(self.text.replace("{budgets}", BUDGETS.format(least=least)))

    def messages(self):
        """Each is a batch of one model. Two rounds: in the second one model in a hundred is ill."""
        chance = random.Random(1)
        rounds = ([], [])
        for number in range(MODELS):
            for ill, messages in enumerate(rounds):
                accuracy = 0.5 if ill and number % 100 == 0 else 0.95
                rows = {"accuracy": [accuracy + chance.uniform(-0.04, 0.04) for _ in range(BATCH)],
                        "latency_ms": [chance.uniform(10, 60) for _ in range(BATCH)]}
                messages.append((f"metrics/p{number % 7}/m{number}/v1".encode(), json.dumps(rows).encode()))
        return rounds

    def sample(self, sent):
        status = self.daemon.ask("status")
        self.samples.append((sent, self.resident_mb(), self.descriptors(), time.monotonic()))
        self.assertIsNone(self.trainers.error)
        return status

    def send_all(self):
        self.node = node = self.daemon.publisher()  # to the end: closed, it would drop what has not left
        rounds = self.messages()
        total = EVENTS // BATCH
        sent, taken, reloads, due = 0, 0, 0, time.monotonic() + EVERY_S
        every = max(total // SAMPLES, 1)
        while sent < total:
            ill = sent // MODELS % (3 * PHASE) >= 2 * PHASE
            node.send_multipart(rounds[ill][sent % MODELS])
            sent += 1
            if sent % IN_FLIGHT == 0:
                self.daemon.wait_status(lambda status: status.get("received", 0) >= sent - IN_FLIGHT)
            if sent % every == 0:
                taken = self.sample(sent * BATCH)
            if time.monotonic() >= due:
                reloads += 1
                self.configure(reloads)
                self.assertTrue(self.daemon.ask("reload")["ok"])
                due = time.monotonic() + EVERY_S
        return sent, reloads, taken

    def slope(self, column):
        """By least squares over the second half: a billion events more would come to so much."""
        half = self.samples[len(self.samples) // 2:]
        xs, ys = [s[0] / 1e9 for s in half], [s[column] for s in half]
        x, y = sum(xs) / len(xs), sum(ys) / len(ys)
        spread = sum((a - x) ** 2 for a in xs)
        return sum((a - x) * (b - y) for a, b in zip(xs, ys)) / spread if spread else 0.0

    def test_soak(self):
        self.daemon = line.Daemon(budgets="{budgets}", jobs_more=JOBS, metrics_more="queue: 1000")
        self.addCleanup(self.daemon.clean)
        with open(self.daemon.config) as file:
            self.text = file.read()
        self.configure(0)
        self.daemon.start()
        self.samples, self.trainers = [], Trainers(self.daemon)
        self.trainers.start()
        began = time.monotonic()
        sent, reloads, _ = self.send_all()
        status = self.daemon.wait_status(lambda status: status.get("events", 0) >= sent * BATCH)
        took = time.monotonic() - began
        self.trainers.stopping = True
        self.trainers.join(line.PATIENCE_S)
        status = self.daemon.ask("status")
        half, last = self.samples[len(self.samples) // 2], self.samples[-1]
        print(f"      {sent * BATCH} events in {took:.0f} s ({sent * BATCH / took:.0f}/s), {reloads} reloads, "
              f"{self.trainers.vanished} trainers vanished, {self.trainers.done} jobs done; resident {half[1]:.1f} MB at half, "
              f"{last[1]:.1f} MB at the end (slope {self.slope(1):+.1f} MB a billion events), descriptors {half[2]} and {last[2]}; "
              f"requests {json.dumps(status['requests'])}", file=sys.stderr, flush=True)
        self.assertEqual(status["events"], sent * BATCH)
        self.assertEqual(status["dropped"], {})
        self.assertEqual(status["lost"], {})
        self.assertEqual(status["received"], sent)
        self.assertGreater(self.trainers.done, 0)
        self.assertGreater(self.trainers.vanished, 0)
        self.assertEqual(status["requests"]["DONE"], self.trainers.done)
        listed = self.daemon.ask("requests", most=100000)["requests"]
        self.assertEqual(len({request["id"] for request in listed}), sum(status["requests"].values()))
        self.assertLessEqual(last[2], half[2] + 8)
        if not line.sanitized():
            self.assertLess(last[1], half[1] * 1.1 + 8)


if __name__ == "__main__":
    unittest.main()
