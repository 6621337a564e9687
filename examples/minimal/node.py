#!/usr/bin/python3
"""node.py - a serving node in thirty lines: publishes metrics of a model. Put your own numbers in measure()."""
import json
import random
import sys
import time

import zmq

MODEL = sys.argv[1] if len(sys.argv) > 1 else "visutility/object-detector/v1"
METRICS = sys.argv[2] if len(sys.argv) > 2 else "tcp://127.0.0.1:5570"
NODE, BOOT = "minimal-1", str(time.time_ns())  # a new boot tells that seq begins anew


def measure():
    return {"n": 64, "accuracy": min(1.0, random.gauss(0.93, 0.02)), "latency_ms": random.lognormvariate(3, 0.2)}


socket = zmq.Context.instance().socket(zmq.PUB)
socket.connect(METRICS)
seq = 0
while True:
    event = {"timestamp": time.time(), "node": NODE, "boot": BOOT, "seq": seq, **measure()}
    socket.send_multipart([f"metrics/{MODEL}".encode(), json.dumps(event).encode()])
    if seq % 5 == 0:  # the beacon: what was sent so far, so that driftd sees a lost tail
        beacon = {"node": NODE, "boot": BOOT, "topics": {MODEL: seq}}
        socket.send_multipart([f"beacon/{NODE}".encode(), json.dumps(beacon).encode()])
    seq += 1
    time.sleep(1)
