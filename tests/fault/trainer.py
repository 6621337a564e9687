#!/usr/bin/env python3
"""trainer.py JOBS FEEDBACK LOG NAME SEED LEASE_S: a trainer that works, dies, stalls, lies, says things twice or too late.

What it got and what it was answered goes to LOG, a line of JSON each, before anything is done with it. Whoever runs it may
kill it at any time. Shares no code with the daemon.
"""
import json
import os
import random
import sys
import time

import zmq


class Trainer:
    def __init__(self, jobs, feedback, log, name, seed, lease_s):
        self.log_fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self.feedback, self.name, self.lease_s = feedback, name, float(lease_s)
        self.source = random.Random(int(seed))
        self.context = zmq.Context()
        self.jobs = self.context.socket(zmq.PULL)
        self.jobs.rcvhwm = 1
        self.jobs.reconnect_ivl = 10
        self.jobs.connect(jobs)
        self.seen = []

    def note(self, **line):
        os.write(self.log_fd, (json.dumps({"t": time.time(), **line}) + "\n").encode())

    def say(self, say, request, attempt, trainer=None, **more):
        """Says it until there is an answer, on a new socket each time; None where the daemon stays away."""
        message = {"say": say, "request": request, "attempt": attempt, "trainer": trainer or self.name, **more}
        for _ in range(20):
            socket = self.context.socket(zmq.REQ)
            socket.linger = 0
            socket.reconnect_ivl = 10
            socket.connect(self.feedback)
            socket.send_json(message)
            reply = json.loads(socket.recv()) if socket.poll(300) else None
            socket.close()
            if reply is not None and reply.get("error") != "unavailable":
                self.note(said=message, reply=reply)
                return reply
        return None

    def work(self, request, attempt):
        draw = self.source.random()
        twice = 2 if draw > 0.9 else 1
        if 0.80 < draw <= 0.85:
            self.lie(request, attempt)
        for _ in range(twice):
            reply = self.say("accept", request, attempt)
        if not reply or not reply["ok"] or 0.85 < draw <= 0.9:
            return  # not granted, or a trainer that stalls: its lease will end
        if 0.75 < draw <= 0.80:
            time.sleep(self.lease_s * 1.5)
        for _ in range(self.source.randrange(3) * twice):
            self.say("progress", request, attempt, fraction=0.5)
        if 0.70 < draw <= 0.75:
            self.say("done", request, attempt, trainer="impostor")
        for _ in range(twice):
            if 0.6 < draw <= 0.7:
                self.say("fail", request, attempt, error="on purpose", retry=draw < 0.69)
            else:
                self.say("done", request, attempt, version="next", gpu_hours=0.5)

    def lie(self, request, attempt):
        self.say("done", request, attempt, trainer="impostor")
        self.say("progress", request, attempt)
        self.say("accept", request, attempt + 1)
        self.say("done", "%032x" % self.source.getrandbits(128), 1)
        for old, number in self.seen[-2:]:
            self.say("done", old, number, trainer="somebody else")
            self.say("fail", old, number)

    def run(self):
        while True:
            if not self.jobs.poll(1000):
                continue
            job = json.loads(self.jobs.recv())
            request, attempt = job["data"]["request"], job["data"]["attempt"]
            self.note(got={"request": request, "attempt": attempt}, trainer=self.name)
            self.work(request, attempt)
            self.seen.append((request, attempt))


if __name__ == "__main__":
    Trainer(*sys.argv[1:]).run()
