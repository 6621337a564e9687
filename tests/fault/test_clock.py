"""The wall clock of a running daemon jumps, a day and a year forward and back, under load: no lease ends, no limit of a
day begins anew, nobody is retrained who was not before. The jump is the daemon's alone (clock_shift.c, LD_PRELOAD)."""
import json
import os
import struct
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "line"))
import zmq  # noqa: E402

import line  # noqa: E402

DAY_S = 86400
MODELS, PER_DAY, RUNNING = 30, 8, 5
MORE = (f"retraining: {{limits: {{concurrent: {RUNNING + 1}, per_day: {PER_DAY}, per_model_per_day: 2, "
        "gpu_hours_per_day: none}}")


class Clock(unittest.TestCase):
    def jump(self, seconds):
        with open(self.clock, "r+b") as file:
            file.write(struct.pack("=q", seconds))
        self.ahead_s = seconds

    def environment(self):
        shift = os.path.join(line.BUILD, "tests", "fault", "clock_shift.so")
        return {"LD_PRELOAD": shift, "DRIFT_CLOCK": self.clock,
                "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}

    def heard(self, status):
        return status["events"] + sum(status["dropped"].values())  # `future`, where the daemon's clock is behind

    def load(self, daemon, node, rounds=20):
        """Models that drift go on drifting, others go on being well, with the times of a node whose clock is right."""
        before = self.heard(daemon.ask("status"))
        for _ in range(rounds):
            for model in range(MODELS):
                node.send_multipart([b"metrics/sick/m%d/v1" % model, line.event(accuracy=0.5)])
                node.send_multipart([b"metrics/well/m%d/v1" % model, line.event(accuracy=0.95)])
                node.send_multipart([b"metrics/told/m%d/v1" % model, line.event(accuracy=0.95, timestamp=time.time())])
        daemon.wait_status(lambda status: self.heard(status) >= before + 3 * rounds * MODELS)

    def work(self, feedback, say, request):
        feedback.send_json({"say": say, "request": request, "attempt": 1, "trainer": "t"})
        reply = json.loads(line.receive(feedback))
        self.assertTrue(reply["ok"], reply)

    def holds(self, daemon, jobs, feedback, running):
        """All is as it was before the clock jumped."""
        states = daemon.ask("status")["requests"]
        self.assertEqual({state: count for state, count in states.items() if count},
                         {"RUNNING": RUNNING, "DONE": PER_DAY - RUNNING, "PENDING": MODELS - PER_DAY})
        self.assertEqual(jobs.poll(0), 0, "a job was offered")
        for request in running:
            self.work(feedback, "progress", request)
        for request in daemon.ask("requests", state="RUNNING")["requests"]:
            self.assertGreater(request["lease_left_s"], 1800)
        for request in daemon.ask("requests", state="PENDING")["requests"]:
            self.assertEqual(request["held_by"], "per_day")
            left_s = line.seconds(request["held_until"]) - (time.time() + self.ahead_s)
            self.assertTrue(22 * 3600 < left_s < 24 * 3600 + 1, left_s)  # which also shows that the daemon's clock did jump

    def test_a_jumping_clock(self):
        with line.Daemon(more=MORE, backoff="6h", jobs_more="lease: 1h, accept_within: 1h") as daemon:
            self.clock = os.path.join(daemon.folder, "clock")
            with open(self.clock, "wb") as file:
                file.write(struct.pack("=q", 0))
            daemon.stop()
            daemon.start(self.environment())
            node = daemon.publisher()
            jobs, feedback = daemon.socket(zmq.PULL, "jobs"), daemon.socket(zmq.REQ, "feedback")
            self.load(daemon, node)
            daemon.wait_status(lambda status: sum(status["requests"].values()) == MODELS)
            running = []
            for number in range(PER_DAY):
                request = json.loads(line.receive(jobs))["data"]["request"]
                self.work(feedback, "accept", request)
                if number < PER_DAY - RUNNING:
                    self.work(feedback, "done", request)
                else:
                    running.append(request)
            for ahead_s in (0, DAY_S, 0, -DAY_S, 0, 400 * DAY_S, -400 * DAY_S, 0):
                self.jump(ahead_s)
                self.load(daemon, node)
                self.holds(daemon, jobs, feedback, running)
            for ahead_s in (2 * DAY_S, -2 * DAY_S):  # and where it is started anew on such a clock
                daemon.kill()
                self.jump(ahead_s)
                daemon.start(self.environment())
                node.close()
                node = daemon.publisher()
                self.load(daemon, node)
                self.holds(daemon, jobs, feedback, running)
            self.assertEqual(daemon.stop(), 0)


if __name__ == "__main__":
    unittest.main()
