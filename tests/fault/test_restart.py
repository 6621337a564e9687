"""The daemon is killed again and again while requests are made, offered and accepted: none is lost, none is doubled.

ROUNDS says how often (5). Whatever anybody was told of is in the store after the next start, and in the end each request
has been retrained by a trainer that was told of it.
"""
import json
import os
import random
import sys
import time
import unittest

import zmq

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "line"))
import line  # noqa: E402

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SEED = int(os.environ.get("SEED", "1"))


class Told:
    """What somebody outside has heard: it must never be gone."""

    def __init__(self):
        self.requests = {}  # id -> model
        self.attempts = {}  # id -> highest attempt sent

    def job(self, data):
        model = "/".join(data["model"][key] for key in ("project", "name", "version"))
        self.requests[data["request"]] = model
        self.attempts[data["request"]] = max(self.attempts.get(data["request"], 0), data["attempt"])


class Restart(unittest.TestCase):
    def sicken(self, daemon, model):
        node = daemon.publisher()
        for _ in range(3):
            node.send_multipart([b"metrics/" + model.encode(), line.event(accuracy=0.5)])
        return node

    def drain(self, observer, told):
        while observer.poll(0):
            event = json.loads(observer.recv_multipart()[1])
            if event["type"].startswith("driftd.retraining."):
                told.requests[event["data"]["request"]] = event["subject"]

    def trained(self, daemon, told, deadline):
        """Serves jobs until nothing is live."""
        jobs = daemon.socket(zmq.PULL, "jobs", rcvhwm=1)
        feedback = daemon.socket(zmq.REQ, "feedback")
        done = set()
        while time.monotonic() < deadline:
            if jobs.poll(100):
                data = json.loads(jobs.recv())["data"]
                told.job(data)
                replies = []
                for say in ("accept", "done"):
                    feedback.send_json({"say": say, "request": data["request"], "attempt": data["attempt"],
                                        "trainer": "last", "version": "next"})
                    replies.append(json.loads(line.receive(feedback)))
                if replies[1]["ok"]:
                    self.assertNotIn(data["request"], done)
                    done.add(data["request"])
                continue
            states = daemon.ask("status")["requests"]
            if not states["PENDING"] and not states["OFFERED"] and not states["RUNNING"]:
                break
        jobs.close()
        feedback.close()
        return done

    def test_none_is_lost(self):
        source = random.Random(SEED)
        told = Told()
        jobs_more = "accept_within: 1s, lease: 1s, retry: {first: 100ms, max: 200ms}, attempts: 100"
        more = "retraining: {limits: {concurrent: 1000, per_day: 100000, gpu_hours_per_day: 1000000}}"
        with line.Daemon(jobs_more=jobs_more, backoff="1h", more=more) as daemon:
            for number in range(ROUNDS):
                if number:
                    daemon.start()
                known = {request["id"] for request in daemon.ask("requests", most=100000)["requests"]}
                self.assertLessEqual(set(told.requests), known, "told of, and gone")
                observer = daemon.socket(zmq.SUB, "events")
                observer.subscribe(b"")
                sockets = [observer]
                if number % 2:
                    jobs = daemon.socket(zmq.PULL, "jobs", rcvhwm=1)
                    sockets.append(jobs)
                sockets.append(self.sicken(daemon, f"fault/m{number}/v1"))
                # The moment of the kill is chance: before, in and after the commit, the offer, the send.
                time.sleep(source.uniform(0, 0.01))
                daemon.kill()
                self.drain(observer, told)
                if number % 2:
                    while jobs.poll(0):
                        told.job(json.loads(jobs.recv())["data"])
                for socket in sockets:
                    socket.close()
            daemon.start()
            requests = daemon.ask("requests", most=100000)["requests"]
            known = {request["id"]: request["model"] for request in requests}
            self.assertLessEqual(set(told.requests.items()), set(known.items()))
            self.assertEqual(len(set(known.values())), len(known), "two requests for one model")
            done = self.trained(daemon, told, time.monotonic() + line.PATIENCE_S)
            for request in daemon.ask("requests", most=100000)["requests"]:
                self.assertEqual(request["state"], "DONE", request)
                self.assertLessEqual(told.attempts[request["id"]], request["attempt"])
            self.assertEqual(done, set(known))
            self.assertEqual(daemon.stop(), 0)
            self.assertEqual(daemon.events[-1]["live_requests"], 0)
            print(f"{ROUNDS} kills: {len(known)} requests committed, {len(done)} retrained, none lost", file=sys.stderr)


if __name__ == "__main__":
    unittest.main()
