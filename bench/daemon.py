"""daemon.py: a daemon that has been at work for a while, what it is sent, and what it says of it: for run.py and curve.py."""
import json
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time

BUILD = pathlib.Path(os.environ.get("BUILD", "build")).resolve()
MODELS = 10_000
MANY = 1_000_000
PATIENCE_S = 60  # without another event
FIRST_S = 0.05  # what came in less says little about the rate
PART_ASKING = 20  # an answer counts every model: one part in so many of the time at most
WINDOWS_FULL, REFERENCE_FULL = 130, 510  # events a model

CONFIG = """
metrics: {{bind: [tcp://127.0.0.1:{port}], queue: 1000, max_models: 2000000}}
jobs: {{bind: [ipc://{dir}/jobs]}}
feedback: {{bind: [ipc://{dir}/feedback]}}
events: {{bind: [ipc://{dir}/events]}}
control: {{bind: ipc://{dir}/control}}
state: {{dir: {dir}/state}}
log: {{level: error}}
budgets:
  - models: "*"
    window: 128
    kpis:
      accuracy: {{min: 0.80, over: mean}}
      latency_ms: {{max: 250, over: p95}}
      processed_fps: {{min: 20, over: mean}}
"""

DETECTORS = """
    drift:
      - {metric: accuracy, detector: cusum, direction: down}
      - {metric: precision, detector: ewma, direction: both}
      - {metric: latency_ms, detector: page_hinkley, threshold: 1000000}
      - {metric: processed_fps, detector: adwin}
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def blast(port, load, first=0):
    args = [BUILD / "bench/blast", "127.0.0.1", port, load["models"], load["messages"], load["form"], load["rows"],
            load.get("per_s", 0), first]
    nodes = load.get("nodes", 1)
    args[4] //= nodes
    args[7] //= nodes
    return [subprocess.Popen([str(a) for a in args], stdout=subprocess.DEVNULL) for _ in range(nodes)]


def cpu_of(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_of(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1)) * 1024


def ask(control, question):
    import zmq
    with zmq.Context.instance().socket(zmq.REQ) as s:
        s.setsockopt(zmq.LINGER, 0)
        s.setsockopt(zmq.RCVTIMEO, 60000)
        s.connect(control)
        s.send_json(question)
        return s.recv_json()


def wait_for(control, want, first=0):
    """The status with so many events, and how many a second there were from the first that came beyond `first`, as in the
    loops that are compared: the source takes a moment to begin. Asks seldom, since an answer counts every model and is paid
    for by the daemon: half of what is left is over before the next. The rate is that of the last answer before the end, when
    at least four fifths had come, else that of the end, which may be seen late."""
    moved, seen, begun, done, rate = time.monotonic(), 0, None, 0, 0
    while True:
        asked = time.monotonic()
        status = ask(control, {"do": "status"})
        have, now = status.get("events", 0), time.monotonic()
        moved, seen = (now, have) if have > seen else (moved, seen)
        if now - moved > PATIENCE_S:
            sys.exit(f"bench: {have} events of {want} came, lost {status['lost']}, dropped {status['dropped']}")
        pause = max(0.005, PART_ASKING * (now - asked))
        if have > first and not begun:
            begun = have, now
            pause = max(pause, FIRST_S)
        elif begun and (have < want or done < 0.8):
            done, rate = (have - first) / (want - first), (have - begun[0]) / (now - begun[1])
            left = (want - have) / rate if rate else 0
            pause = max(pause, left / 2 if done < 0.9 else left * 1.05)
        if begun and have >= want:
            assert rate > 0, "so few messages are over before they can be timed: MESSAGES=2000000"
            return status, rate
        time.sleep(min(pause, 1))


class Driftd:
    """A daemon that has been at work for a while: its models are known, their windows and references full. What is measured is
    events, not beginnings, which come once in a model's life."""

    def __init__(self, load, source=blast, more=""):
        """`source(port, load, first)` starts what sends; `more` stands in the configuration beside the rest."""
        self.load, self.want, self.laps, self.port, self.source = load, 0, 0, free_port(), source
        self.folder = tempfile.TemporaryDirectory()
        config = pathlib.Path(self.folder.name) / "driftd.yaml"
        config.write_text(more + CONFIG.format(port=self.port, dir=self.folder.name) +
                          (DETECTORS if load["detectors"] else ""))
        pathlib.Path(self.folder.name, "state").mkdir()
        self.control = f"ipc://{self.folder.name}/control"
        self.daemon = subprocess.Popen([BUILD / "driftd", "--config", config])
        try:
            self.warm()
        except BaseException:
            self.close()
            raise

    def warm(self):
        load = self.load
        while not pathlib.Path(self.folder.name, "control").exists():
            time.sleep(0.02)
            assert self.daemon.poll() is None, "driftd did not start"
        ask(self.control, {"do": "status"})
        warm = REFERENCE_FULL if load["detectors"] else WINDOWS_FULL
        self.run(dict(load, messages=-(-warm // load["rows"]) * load["models"], per_s=0, nodes=1))

    def run(self, load):
        cpu = cpu_of(self.daemon.pid)
        sources = self.source(self.port, load, self.laps)
        self.laps += load["messages"] // load["models"] // load.get("nodes", 1)
        before, self.want = self.want, self.want + load["messages"] * load["rows"]
        status, rate = wait_for(self.control, self.want, before)
        cpu = cpu_of(self.daemon.pid) - cpu
        for source in sources:
            if source.stdin:
                source.stdin.close()
                source.stdin = None
            source.wait(timeout=60)
        lost, dropped = sum(status["lost"].values()), sum(status["dropped"].values())
        if lost or dropped or status["events"] != self.want:
            sys.exit(f"bench: {status['events']} events of {self.want}, lost {lost}, dropped {dropped}")
        return {"rate": rate / load["rows"], "cpu": cpu / load["messages"], "rss": rss_of(self.daemon.pid),
                "sources": sources}

    def close(self):
        self.daemon.terminate()
        self.daemon.wait(timeout=60)
        self.folder.cleanup()


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def words(ratio):
    return f"{ratio['median']:.2f} ({ratio['min']:.2f} to {ratio['max']:.2f})"
