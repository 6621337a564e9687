#!/usr/bin/python3
"""trainer.py - a trainer in forty lines: takes jobs and says what became of them. Put your own in train()."""
import sys
import time

import zmq

JOBS = sys.argv[1] if len(sys.argv) > 1 else "tcp://127.0.0.1:5571"
FEEDBACK = sys.argv[2] if len(sys.argv) > 2 else "tcp://127.0.0.1:5572"

jobs, feedback = (zmq.Context.instance().socket(kind) for kind in (zmq.PULL, zmq.REQ))
jobs.setsockopt(zmq.RCVHWM, 1)  # before connect: pull only what we work on
jobs.connect(JOBS)
feedback.setsockopt(zmq.REQ_RELAXED, 1)
feedback.setsockopt(zmq.REQ_CORRELATE, 1)
feedback.connect(FEEDBACK)


def say(job, what, **members):
    """True: go on. No reply: the same message again, it does no harm."""
    while True:
        feedback.send_json({"say": what, "request": job["request"], "attempt": job["attempt"], "trainer": "minimal-1",
                            **members})
        if feedback.poll(5000):
            reply = feedback.recv_json()
            if reply["ok"] or reply["error"] != "unavailable":
                return reply["ok"] and not reply.get("cancel")
            time.sleep(1)


def train(job):
    for step in range(10):
        time.sleep(1)
        if not say(job, "progress", fraction=(step + 1) / 10, note=f"epoch {step + 1}"):
            return  # cancelled, or somebody else's by now: stop
    say(job, "done", version="v2", metrics={"accuracy": 0.93}, gpu_hours=0.003)


while True:
    job = jobs.recv_json()["data"]
    if say(job, "accept"):
        train(job)
