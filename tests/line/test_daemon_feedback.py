"""Trainers that report: accept, progress, done, fail, leases, and what the daemon keeps of it across its own death."""
import json
import os
import sys
import unittest

import zmq

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import line  # noqa: E402

MODEL = "visutility/object-detector/v1.2.3"


class Trainer:
    def __init__(self, daemon, name):
        self.name = name
        self.jobs = daemon.socket(zmq.PULL, "jobs", rcvhwm=1)
        self.feedback = daemon.socket(zmq.REQ, "feedback")

    def pull(self):
        return json.loads(line.receive(self.jobs))["data"]

    def say(self, say, job, **members):
        self.feedback.send_json({"say": say, "request": job["request"], "attempt": job["attempt"], "trainer": self.name,
                                 **members})
        return json.loads(line.receive(self.feedback))

    def die(self):
        self.jobs.close()
        self.feedback.close()


def sicken(daemon, model=MODEL):
    node = daemon.publisher()
    for _ in range(3):
        node.send_multipart([b"metrics/" + model.encode(), line.event(accuracy=0.5)])
    node.close(linger=10000)


class Feedback(unittest.TestCase):
    def test_accept_progress_done(self):
        with line.Daemon(backoff="1h") as daemon:
            trainer = Trainer(daemon, "t1")
            sicken(daemon)
            job = trainer.pull()
            self.assertEqual(trainer.say("progress", job)["error"], "not_accepted")
            self.assertEqual(trainer.say("accept", job), {"ok": True, "lease_s": 300})
            self.assertEqual(trainer.say("accept", job), {"ok": True, "lease_s": 300})
            self.assertEqual(daemon.ask("model", model=MODEL)["state"], "retraining")
            self.assertEqual(trainer.say("progress", job, fraction=0.5), {"ok": True, "lease_s": 300, "cancel": False})
            self.assertEqual(trainer.say("done", job, version="v1.2.4", metrics={"accuracy": 0.93}, gpu_hours=1.5)["ok"], True)
            self.assertEqual(trainer.say("done", job, version="v1.2.4", metrics={"accuracy": 0.93}, gpu_hours=1.5)["ok"], True)
            request = daemon.ask("request", request=job["request"])
            self.assertEqual(request["state"], "DONE")
            self.assertEqual([step["to"] for step in request["history"]], ["PENDING", "OFFERED", "RUNNING", "DONE"])
            daemon.wait_status(lambda status: status["models"] == {"drifting": 1})

    def test_what_is_refused_is_counted_and_told(self):
        with line.Daemon(backoff="1h") as daemon:
            trainer = Trainer(daemon, "t1")
            sicken(daemon)
            job = trainer.pull()
            self.assertEqual(trainer.say("dance", job)["error"], "bad_message")
            self.assertEqual(trainer.say("dance", job)["error"], "bad_message")
            self.assertEqual(trainer.say("progress", job)["error"], "not_accepted")
            self.assertEqual(trainer.say("accept", {"request": "0" * 32, "attempt": 1})["error"], "unknown_request")
            self.assertEqual(daemon.ask("status")["feedback"],
                             {"messages": 4, "refused": {"unknown_request": 1, "not_accepted": 1, "bad_message": 2}, "replies_lost": 0})
            daemon.stop()
            told = [said for said in daemon.events if said["msg"] == "feedback of a trainer was refused"]
            self.assertEqual([(said["level"], said["error"], said["trainer"], said["request"], said["times"]) for said in told],
                             [("warning", "bad_message", "", "", 1), ("warning", "not_accepted", "t1", job["request"], 1)])
            self.assertRegex(told[0]["peer"], "^localhost:[0-9]+:[0-9]+:%d$" % os.getpid())  # libzmq's name of a local process
            self.assertEqual(told[0]["why"], '"say" must be accept, progress, done or fail')

    def test_a_trainer_that_reads_no_reply(self):
        """Both queues of 1,000 fill, and what is between them; the daemon goes on, and tells how many nobody took."""
        many = 50000
        with line.Daemon() as daemon:
            deaf = daemon.socket(zmq.DEALER, "feedback", rcvhwm=1, sndhwm=0)
            for _ in range(many):
                deaf.send_multipart([b"", b"{}"])
            status = daemon.wait_status(lambda status: status["feedback"]["messages"] == many)
            self.assertEqual(status["feedback"]["refused"], {"bad_message": many})
            self.assertGreater(status["feedback"]["replies_lost"], 0)

    def test_a_dead_trainer(self):
        """Killed after the accept: the job comes again with attempt 2 when the lease ends, and another strategy."""
        with line.Daemon(jobs_more="lease: 1s, retry: {first: 100ms, max: 1s}") as daemon:
            first = Trainer(daemon, "first")
            sicken(daemon)
            job = first.pull()
            self.assertTrue(first.say("accept", job)["ok"])
            first.die()
            second = Trainer(daemon, "second")
            again = second.pull()
            self.assertEqual((again["request"], again["attempt"]), (job["request"], 2))
            self.assertNotEqual(again["strategy"], job["strategy"])
            self.assertEqual(second.say("accept", {**again, "attempt": 1})["error"], "stale_attempt")
            self.assertTrue(second.say("accept", again)["ok"])
            self.assertTrue(second.say("done", again, version="v2")["ok"])

    def test_the_daemon_dies_between_commit_and_send(self):
        """No trainer is there: the request is committed and nothing is sent. After a kill -9 and a start it is."""
        with line.Daemon(backoff="1h") as daemon:
            sicken(daemon)
            daemon.wait_status(lambda status: status["requests"]["PENDING"] == 1)
            daemon.kill()
            daemon.start()
            first = daemon.wait_log(lambda said: said["msg"] == "driftd runs")
            self.assertEqual(first["models_restored"], 1)
            trainer = Trainer(daemon, "t")
            job = trainer.pull()
            self.assertTrue(trainer.say("accept", job)["ok"])
            # The back-off is that of the trigger before the restart: nothing new comes of new failures.
            sicken(daemon)
            daemon.wait_status(lambda status: status.get("events", 0) == 3)
            self.assertEqual(daemon.ask("model", model=MODEL)["failures"], 3)
            # A running attempt outlives the daemon.
            daemon.kill()
            trainer.die()
            daemon.start()
            trainer = Trainer(daemon, "t")
            self.assertTrue(trainer.say("progress", job, fraction=0.9)["ok"])
            self.assertTrue(trainer.say("done", job, version="v2")["ok"])
            self.assertEqual(len(daemon.ask("requests")["requests"]), 1)
            self.assertEqual(daemon.stop(), 0)

    def test_orders_of_the_operator(self):
        with line.Daemon(backoff="1h") as daemon:
            trainer = Trainer(daemon, "t")
            made = daemon.ask("retrain", model=MODEL, reason="because")
            self.assertTrue(made["ok"], made)
            job = trainer.pull()
            self.assertEqual(job["request"], made["request"])
            self.assertTrue(trainer.say("accept", job)["ok"])
            self.assertTrue(daemon.ask("cancel", request=made["request"], reason="enough")["ok"])
            self.assertTrue(trainer.say("progress", job)["cancel"])
            self.assertEqual(daemon.ask("requeue", request="no such")["error"], "unknown_request")


if __name__ == "__main__":
    unittest.main()
