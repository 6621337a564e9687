"""A fleet drifts within a second: so many jobs as the limits let go, the rest waits with its reason, the severest first.

FLOOD says how many models (500). Memory stays while they wait, are listed and are worked off; what an event costs is printed.
"""
import json
import os
import random
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "line"))
import zmq  # noqa: E402

import line  # noqa: E402

FLOOD = int(os.environ.get("FLOOD", "500"))
PER_DAY, CONCURRENT = 20, 4


class Flood(unittest.TestCase):
    def cost_ns(self, daemon, node, models, count=100000):
        """Time of the processor, of all threads, that an event takes, of models that are well."""
        messages = [([b"metrics/load/%s/v1" % model.encode()], line.event(accuracy=0.95)) for model in models[:1000]]
        before, began = daemon.ask("status")["events"], self.cpu_ns(daemon)
        for number in range(count):
            topic, payload = messages[number % len(messages)]
            node.send_multipart(topic + [payload])
        daemon.wait_status(lambda status: status["events"] >= before + count)
        return (self.cpu_ns(daemon) - began) / count

    def cpu_ns(self, daemon):
        tasks = f"/proc/{daemon.process.pid}/task"
        return sum(int(open(f"{tasks}/{task}/schedstat").read().split()[0]) for task in os.listdir(tasks))

    def memory_mb(self, daemon):
        with open(f"/proc/{daemon.process.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    def test_flood(self):
        source = random.Random(1)
        models = [f"m{number}" for number in range(FLOOD)]
        more = f"retraining: {{limits: {{concurrent: {CONCURRENT}, per_day: {PER_DAY}, per_model_per_day: 2, gpu_hours_per_day: none}}}}"
        with line.Daemon(more=more, backoff="1h", metrics_more="queue: 1000000") as daemon:
            node = daemon.publisher()
            for model in models:
                node.send_multipart([b"metrics/flood/%s/v1" % model.encode(), line.event(accuracy=0.95)])
            daemon.wait_status(lambda status: status["events"] >= FLOOD)
            known = self.memory_mb(daemon)
            calm = self.cost_ns(daemon, node, models)
            severity = {model: source.random() for model in models}
            began = time.monotonic()
            for _ in range(7):
                for model in models:
                    node.send_multipart([b"metrics/flood/%s/v1" % model.encode(), line.event(accuracy=0.7 * severity[model])])
            sent = time.monotonic() - began
            daemon.wait_status(lambda status: status.get("requests", {}).get("PENDING") == FLOOD)
            committed = time.monotonic() - began
            memory, busy = self.memory_mb(daemon), self.cost_ns(daemon, node, models)
            listed = daemon.ask("requests", most=100000)["requests"]
            self.assertEqual(len(listed), FLOOD)
            by_id = {request["id"]: request for request in listed}

            jobs = daemon.socket(zmq.PULL, "jobs", rcvhwm=1)
            feedback = daemon.socket(zmq.REQ, "feedback")
            got, delays = [], []
            while len(got) < PER_DAY:
                if not jobs.poll(line.PATIENCE_S * 1000):
                    raise AssertionError(f"no job after {len(got)}: {daemon.ask('status')['requests']}")
                job = json.loads(jobs.recv())["data"]
                got.append(job["request"])
                for say in ("accept", "done"):
                    asked = time.monotonic()
                    feedback.send_json({"say": say, "request": job["request"], "attempt": 1, "trainer": "t"})
                    self.assertTrue(json.loads(line.receive(feedback))["ok"])
                    delays.append(time.monotonic() - asked)
            wanted = sorted(listed, key=lambda request: -request["severity"])[:PER_DAY]
            # Two wait in the trainer's queue at a time: the order is that of the offers.
            self.assertEqual([by_id[request]["severity"] for request in got], [request["severity"] for request in wanted])
            status = daemon.wait_status(lambda status: status["requests"]["DONE"] == PER_DAY)
            self.assertEqual(status["requests"]["PENDING"], FLOOD - PER_DAY)
            self.assertEqual(jobs.poll(500), 0)
            waiting = daemon.ask("requests", state="PENDING", most=100000)["requests"]
            self.assertEqual({request["held_by"] for request in waiting}, {"per_day"})
            day = [line.seconds(request["held_until"]) - time.time() for request in waiting]
            self.assertTrue(all(23 * 3600 < left <= 24 * 3600 + 1 for left in day))
            after = self.cost_ns(daemon, node, models)
            print(f"      {FLOOD} models drift, their events sent in {sent:.1f} s, all requests durable after {committed:.1f} s; "
                  f"{len(got)} jobs, severest first, the rest held by per_day; reply after {sorted(delays)[len(delays) // 2] * 1e3:.1f} ms "
                  f"(median); an event costs {calm:.0f} ns before, {busy:.0f} ns while {FLOOD} wait, {after:.0f} ns after; {known:.0f} MB before, "
                  f"{memory:.0f} MB while they wait, {self.memory_mb(daemon):.0f} MB at the end", file=sys.stderr, flush=True)
            if not line.sanitized():  # what was asked for and answered is given back
                self.assertLess(self.memory_mb(daemon), memory * 1.05 + 4)


if __name__ == "__main__":
    unittest.main()
