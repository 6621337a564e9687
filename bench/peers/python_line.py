#!/usr/bin/env python3
"""python_line.py ENDPOINT MESSAGES [river]: the line as one would write it in Python: pyzmq, json, deque windows.

With `river`, each model also has the four detectors of the bench from River where a user has it installed
(pip install river); exit status 69 where it is missing. Prints as bench/rawdrain.c does.
"""
import json
import sys
import time
from collections import defaultdict, deque

import zmq

METRICS = ("accuracy", "precision", "recall", "latency_ms", "processed_fps")


class Model:
    def __init__(self, detectors):
        self.windows = {name: deque(maxlen=128) for name in METRICS}
        self.failures = 0
        self.detectors = detectors() if detectors else ()

    def take(self, event):
        for name in METRICS:
            self.windows[name].append(event[name])
        window = self.windows["accuracy"]
        self.failures = self.failures + 1 if sum(window) / len(window) < 0.8 else 0
        for metric, detector in self.detectors:
            detector.update(event[metric])


def river_detectors():
    from river import drift
    return (("accuracy", drift.ADWIN()), ("latency_ms", drift.PageHinkley()),
            ("processed_fps", drift.KSWIN(seed=1)), ("recall", drift.ADWIN()))


def main():
    endpoint, want = sys.argv[1], int(sys.argv[2])
    detectors = None
    if "river" in sys.argv[3:]:
        try:
            river_detectors()
        except ImportError:
            sys.exit(69)
        detectors = river_detectors
    models = defaultdict(lambda: Model(detectors))
    with zmq.Context.instance().socket(zmq.SUB) as sub:
        sub.setsockopt(zmq.RCVHWM, 1000)
        sub.setsockopt(zmq.SUBSCRIBE, b"metrics/")
        sub.bind(endpoint)
        print("ready", flush=True)
        started = None
        for _ in range(want):
            topic, payload = sub.recv_multipart()
            if started is None:
                started, cpu = time.monotonic(), time.process_time()
            models[topic].take(json.loads(payload))
        print(json.dumps({"messages": want, "seconds": time.monotonic() - started,
                          "cpu_seconds": time.process_time() - cpu}))


if __name__ == "__main__":
    main()
