#!/usr/bin/python3
"""node.py - a serving node: classifies what its camera sees, and publishes how well.

It serves batches of pictures that no trainer ever saw, publishes accuracy, precision, recall, latency and frames per
second of each batch to driftd, keeps the labelled pictures of a second, separate pool in the folder of recent images
(as a person who labels a few pictures a day would), and takes over each new version of the model once it is promoted.

The ZeroMQ of it is the class Publisher; the rest is the classifier.
"""
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small matrices: threads would only wait for one another

import argparse
import json
import signal
import sys
import time
from collections import deque
from pathlib import Path

import numpy as np
import zmq
from sklearn.metrics import precision_recall_fscore_support

import images
from camera import KINDS, Camera
from model import first_version
from recent import RecentImages
from registry import Registry

BEACON_EVERY_S = 2.0
LABELLED_PER_SERVED = 1.5


class Publisher:
    """All that a serving node needs of ZeroMQ: a PUB socket, a number on each message, and a beacon."""

    def __init__(self, node: str, connect: str, bind: str | None = None):
        self.node, self.boot, self.next = node, str(time.time_ns()), {}
        self.socket = zmq.Context.instance().socket(zmq.PUB)
        self.socket.setsockopt(zmq.LINGER, 500)
        self.socket.connect(connect)
        if bind:  # others may watch the same messages
            self.socket.bind(bind)

    def metrics(self, model: str, values: dict) -> None:
        seq = self.next.get(model, 0)
        event = {"timestamp": time.time(), "node": self.node, "boot": self.boot, "seq": seq, **values}
        self.socket.send_multipart([f"metrics/{model}".encode(), json.dumps(event).encode()])
        self.next[model] = seq + 1

    def beacon(self) -> None:
        """Says what was sent so far, so that a lost tail shows."""
        topics = {model: seq - 1 for model, seq in self.next.items()}
        beacon = {"node": self.node, "boot": self.boot, "topics": topics}
        self.socket.send_multipart([f"beacon/{self.node}".encode(), json.dumps(beacon).encode()])


class Stream:
    """A pool of images without an end: shuffled anew each time it is through."""

    def __init__(self, pool: images.Images, random: np.random.Generator):
        self.pool, self.random = pool, random
        self.rows = np.empty(0, dtype=int)

    def next(self, count: int) -> images.Images:
        while len(self.rows) < count:
            self.rows = np.concatenate([self.rows, self.random.permutation(len(self.pool.labels))])
        now, self.rows = self.rows[:count], self.rows[count:]
        return self.pool.take(now)


def measure(labels: np.ndarray, predicted: np.ndarray) -> dict:
    precision, recall, _, _ = precision_recall_fscore_support(labels, predicted, average="macro", zero_division=0)
    return {"accuracy": float(np.mean(predicted == labels)), "precision": float(precision), "recall": float(recall)}


def train_first(registry: Registry, dataset: str, seed: int) -> str:
    """The version that is served before anything went wrong: trained on the training pool through a good camera."""
    camera = Camera("steady", 0, 1, seed)
    pool = images.training(dataset)
    shots = [camera.take(pool.pixels[at:at + 50], 0) for at in range(0, len(pool.labels), 50)]
    version = registry.next_version()
    classifier = first_version(np.concatenate(shots), pool.labels, seed)
    registry.save(version, classifier, {"trained_on": f"{dataset}, good camera"})
    registry.promote(version)
    return version


def serve(arguments: argparse.Namespace) -> None:
    registry, recent = Registry(arguments.work / "models"), RecentImages(arguments.work / "recent")
    random = np.random.default_rng(arguments.seed)
    serving = Stream(images.serving(arguments.dataset), random)
    feedback = Stream(images.feedback(arguments.dataset), random)
    version = registry.served() or train_first(registry, arguments.dataset, arguments.seed)
    classifier = registry.load(version)
    camera = Camera(arguments.camera, arguments.good_batches, arguments.step_batches, arguments.seed)
    publisher = Publisher(arguments.node, arguments.connect, arguments.bind)
    print(f"serving {arguments.model}/{version} on {arguments.dataset}", flush=True)

    finished: deque[float] = deque([time.monotonic()], maxlen=20)
    next_beacon = next_batch = time.monotonic()
    step = 0
    for shot in range(arguments.batches or sys.maxsize):
        if camera.step(shot) != step:
            step = camera.step(shot)
            print(f"camera: {camera.describe(shot)}", flush=True)
        scene = serving.next(arguments.batch)
        seen = camera.take(scene.pixels, shot)
        started = time.perf_counter()
        predicted, confidence = classifier.predict(seen)
        latency_ms = 1e3 * (time.perf_counter() - started)
        finished.append(time.monotonic())
        publisher.metrics(f"{arguments.model}/{version}", {
            "n": arguments.batch, **measure(scene.labels, predicted), "latency_ms": latency_ms,
            "processed_fps": arguments.batch * (len(finished) - 1) / (finished[-1] - finished[0]),
            "mean_confidence": float(confidence.mean()), "brightness": float(seen.mean() / 255)})

        labelled = feedback.next(int(arguments.batch * LABELLED_PER_SERVED))
        recent.add(labelled._replace(pixels=camera.take(labelled.pixels, shot)))

        served = registry.served()
        if served and served != version:
            classifier, version = registry.load(served), served
            print(f"serving {arguments.model}/{version}", flush=True)
        if time.monotonic() >= next_beacon:
            publisher.beacon()
            next_beacon = time.monotonic() + BEACON_EVERY_S
        next_batch = max(next_batch + arguments.interval, time.monotonic() - arguments.interval)
        time.sleep(max(0.0, next_batch - time.monotonic()))
    publisher.beacon()


def main() -> int:
    parser = argparse.ArgumentParser(description="A serving node with a camera that goes bad.")
    parser.add_argument("--connect", default="tcp://127.0.0.1:5570", help="driftd's metrics socket (%(default)s)")
    parser.add_argument("--bind", help="an endpoint where others may watch the same metrics")
    parser.add_argument("--work", type=Path, required=True,
                        help="folder of models and recent images, shared with the trainer")
    parser.add_argument("--model", default="visutility/garments", help="project/name (%(default)s)")
    parser.add_argument("--node", default="camera-1")
    parser.add_argument("--dataset", choices=("fashion", "digits"), default=images.available()[0])
    parser.add_argument("--camera", choices=KINDS, default="rotation")
    parser.add_argument("--batch", type=int, default=64, help="pictures a batch (%(default)s)")
    parser.add_argument("--interval", type=float, default=0.1, help="seconds from batch to batch (%(default)s)")
    parser.add_argument("--batches", type=int, default=0, help="stop after so many (default: go on)")
    parser.add_argument("--good-batches", type=int, default=60, help="before the camera goes bad (%(default)s)")
    parser.add_argument("--step-batches", type=int, default=15,
                        help="from step to step of the camera's decline (%(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        serve(arguments)
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
