#!/usr/bin/python3
"""trainer.py - a trainer: takes retraining jobs from driftd and really retrains.

A job names a strategy; strategies.py has one function for each. It trains on recent images as the cameras see them now
(the folder the node fills) and some old ones. What comes out is compared with the model that is served, on recent
images that were held back; if it is no better, the trainer says so and nothing is swapped.

The ZeroMQ of it is the class Driftd; the rest is training.
"""
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small matrices: threads would only wait for one another

import argparse
import datetime
import signal
import sys
import time
from pathlib import Path

import zmq

import images
from recent import RecentImages
from registry import Registry
from strategies import STRATEGIES, Problem

REPLY_WITHIN_S = 5.0
PROGRESS_EVERY_S = 0.5
IMAGES_WANTED = {"fashion": 4000, "digits": 1200}
IMAGES_WITHIN_S = 20.0
WORTH_IT = 0.02    # gain of accuracy below which a new version is not worth a roll-out
HOPELESS = 0.25    # of accuracy, with ten classes: there is nothing to see in these pictures, no strategy will help


class Stopped(Exception):
    """driftd does not want this work any more."""


class Driftd:
    """All that a trainer needs of ZeroMQ: jobs come in on one socket, what became of them goes out on another."""

    def __init__(self, jobs: str, feedback: str, name: str):
        context, self.name = zmq.Context.instance(), name
        self.jobs = context.socket(zmq.PULL)
        self.jobs.setsockopt(zmq.RCVHWM, 1)         # before connect: no job waits here while another trainer is free
        self.jobs.connect(jobs)
        self.feedback = context.socket(zmq.REQ)
        self.feedback.setsockopt(zmq.REQ_RELAXED, 1)    # may send again without a reply,
        self.feedback.setsockopt(zmq.REQ_CORRELATE, 1)  # and then takes no late reply for the new one
        self.feedback.setsockopt(zmq.LINGER, 0)
        self.feedback.connect(feedback)

    def next_job(self) -> dict:
        return self.jobs.recv_json()["data"]

    def say(self, job: dict, say: str, **members) -> dict:
        """Says it until there is an answer: every message is idempotent. Raises Stopped when the work is not wanted."""
        message = {"say": say, "request": job["request"], "attempt": job["attempt"], "trainer": self.name, **members}
        while True:
            self.feedback.send_json(message)
            if not self.feedback.poll(REPLY_WITHIN_S * 1000):
                print(f"no answer from driftd; saying {say} again", flush=True)
                continue
            reply = self.feedback.recv_json()
            if not reply["ok"] and reply["error"] == "unavailable":
                time.sleep(1)
            elif not reply["ok"]:
                raise Stopped(f"{reply['error']}: {reply['message']}")
            elif reply.get("cancel"):
                raise Stopped("cancelled")
            else:
                return reply


class Training:
    """One job, from accept to done or fail."""

    def __init__(self, driftd: Driftd, job: dict, work: Path, dataset: str, seed: int):
        self.driftd, self.job, self.dataset, self.seed = driftd, job, dataset, seed
        self.registry, self.recent = Registry(work / "models"), RecentImages(work / "recent")
        self.last_progress_s = 0.0

    def run(self) -> None:
        self.driftd.say(self.job, "accept")
        try:
            result = self.retrain(time.process_time())
        except Stopped:
            raise
        except Exception as error:
            result = {"say": "fail", "error": f"{type(error).__name__}: {error}", "retry": True}
        self.driftd.say(self.job, **result)
        if result["say"] == "done":
            # Only now: a version whose job was taken away from us must not be served. If we die before this line, the
            # model goes on failing, and driftd asks again.
            self.registry.promote(result["version"])
            print(f"done: {result['version']} is worth serving: {result['metrics']['accuracy_before']:.3f} -> "
                  f"{result['metrics']['accuracy']:.3f} on images held back", flush=True)
        else:
            print(f"failed: {result['error']}", flush=True)

    def retrain(self, started_cpu_s: float) -> dict:
        strategy = STRATEGIES.get(self.job["strategy"])
        if strategy is None:
            return {"say": "fail", "error": f"unknown strategy {self.job['strategy']}", "retry": True}
        old = images.training(self.dataset)
        found = strategy(Problem(self.collect(), old, self.seed), self.job["parameters"],
                         lambda fraction, note: self.progress(0.1 + 0.8 * fraction, note))
        self.progress(0.95, f"training the winner on the newest images: {found.settings}")
        newest = self.recent.newest(IMAGES_WANTED[self.dataset])
        classifier = found.finish(newest, old, self.seed)
        check = Problem(newest, old, self.seed).validation
        before = self.registry.load(self.job["model"]["version"]).accuracy(check.pixels, check.labels)
        after = classifier.accuracy(check.pixels, check.labels)
        # There is no GPU here: the hours are the CPU's.
        cost = {"gpu_hours": (time.process_time() - started_cpu_s) / 3600}
        # A guesser that was lucky on the images held back is no better either.
        if after < max(before + WORTH_IT, HOPELESS):
            error = f"no better than what is served: {after:.3f} against {before:.3f} on recent images"
            return {"say": "fail", "error": error, "retry": after >= HOPELESS, **cost}
        version = self.registry.next_version()
        metrics = {"accuracy": after, "accuracy_before": before}
        artifact = self.registry.save(version, classifier, {"job": self.job, "settings": str(found.settings),
                                                            "trials": found.trials, "metrics": metrics, **cost})
        return {"say": "done", "version": version, "artifact": str(artifact), "metrics": metrics, **cost}

    def collect(self) -> images.Images:
        """Waits until there are enough labelled images of the time since the model began to fail."""
        wanted, give_up_s = IMAGES_WANTED[self.dataset], time.monotonic() + IMAGES_WITHIN_S
        since_s = seconds_of((self.job.get("trigger") or {}).get("change_at"))
        while True:
            found = self.recent.newest(wanted, since_s)
            count = len(found.labels) if found else 0
            if count >= wanted or (count and time.monotonic() > give_up_s):
                return found
            if time.monotonic() > give_up_s:
                raise ValueError("nobody labelled an image since the model began to fail")
            self.progress(0.1 * count / wanted, f"collecting labelled images since the change: {count} of {wanted}")
            time.sleep(0.2)

    def progress(self, fraction: float, note: str) -> None:
        if time.monotonic() - self.last_progress_s < PROGRESS_EVERY_S:
            return
        self.last_progress_s = time.monotonic()
        print(f"{round(100 * fraction)} %: {note}", flush=True)
        self.driftd.say(self.job, "progress", fraction=fraction, note=note)


def seconds_of(timestamp: str | None) -> float:
    try:
        return datetime.datetime.fromisoformat(timestamp).timestamp()
    except (TypeError, ValueError):
        return 0.0  # a job made by hand has no time of change: all recent images will do


def model_of(job: dict) -> str:
    return "/".join(job["model"][part] for part in ("project", "name", "version"))


def main() -> int:
    parser = argparse.ArgumentParser(description="A trainer with three strategies.")
    parser.add_argument("--jobs", default="tcp://127.0.0.1:5571", help="driftd's jobs socket (%(default)s)")
    parser.add_argument("--feedback", default="tcp://127.0.0.1:5572", help="driftd's feedback socket (%(default)s)")
    parser.add_argument("--work", type=Path, required=True,
                        help="folder of models and recent images, shared with the node")
    parser.add_argument("--name", default="trainer-1")
    parser.add_argument("--dataset", choices=("fashion", "digits"), default=images.available()[0])
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        driftd = Driftd(arguments.jobs, arguments.feedback, arguments.name)
        print("waiting for jobs", flush=True)
        while True:
            job = driftd.next_job()
            print(f"job: attempt {job['attempt']} for {model_of(job)}, strategy {job['strategy']} "
                  f"({job['strategy_reason']})", flush=True)
            try:
                Training(driftd, job, arguments.work, arguments.dataset, arguments.seed).run()
            except Stopped as stopped:
                print(f"stopped: {stopped}", flush=True)
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
