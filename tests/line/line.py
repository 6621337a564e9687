"""line.py - the real daemon for tests over real sockets: started in a folder of its own, spoken to as its clients do.

Shares no code with the daemon. Nothing here sleeps: whatever is waited for is an event (a line of the log, a
subscription, a message, the end of the process), with a deadline.
"""
import datetime
import itertools
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import zmq

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
DRIFTD = os.path.join(BUILD, "driftd")
PROMTOOL = shutil.which("promtool") or shutil.which(os.path.join(ROOT, "build", "promtool"))  # `make deps` puts it there
PATIENCE_S = 60


def sanitized():
    """Whether the daemon was built with a sanitizer, whose own memory says nothing about the daemon's."""
    with open(DRIFTD, "rb") as file:
        code = file.read()
    return b"__asan_init" in code or b"__tsan_init" in code


CONFIG = """
metrics: {{bind: [{metrics}]{metrics_more}}}
jobs: {{bind: [{jobs}]{jobs_more}}}
feedback: {{bind: [{feedback}]}}
events: {{bind: [{events}]}}
control: {{bind: {control}}}
http: {{listen: "{http}"}}
workers: {workers}
state: {{dir: {folder}/state}}
log: {{level: debug, format: json}}
{budgets}
{more}
"""

BUDGETS = """
budgets:
  - models: "*"
    window: 4
    min_events: 1
    consecutive_failures: 3
    backoff: {backoff}
    recover_after: 4
    kpis:
      accuracy: {{min: 0.80, over: mean}}
      latency_ms: {{max: 400, over: last}}
"""


numbers = itertools.count(5570)


def plain_tcp():
    """An endpoint of this process alone: of all of 127.0.0.0/8 the address that its id makes."""
    own = os.getpid()
    return f"tcp://127.{1 + (own >> 16 & 127)}.{own >> 8 & 255}.{own & 255}:{next(numbers)}"


class Daemon:
    """A driftd of its own. `with Daemon(...) as daemon:` starts it and leaves nothing behind."""

    def __init__(self, workers="0", metrics_more="", jobs_more="", backoff="1s", budgets=None, more="", http="off", **endpoints):
        self.folder = tempfile.mkdtemp(prefix="driftd-line.")
        os.mkdir(os.path.join(self.folder, "state"))
        names = {name: f"ipc://{self.folder}/{name}" for name in ("jobs", "feedback", "events", "control")}
        names["metrics"] = plain_tcp()
        names.update({name: endpoint.format(folder=self.folder) for name, endpoint in endpoints.items()})
        self.endpoints = names
        self.config = os.path.join(self.folder, "driftd.yaml")
        self.write_config(CONFIG.format(folder=self.folder, workers=workers,
                                        metrics_more=", " + metrics_more if metrics_more else "",
                                        jobs_more=", " + jobs_more if jobs_more else "",
                                        more=more, http=http,
                                        budgets=BUDGETS.format(backoff=backoff) if budgets is None else budgets, **names))
        self.context = zmq.Context()
        self.process = None
        self.lines = []
        self.events = []  # the log, each line read
        self.changed = threading.Condition()

    def write_config(self, text):
        with open(self.config, "w") as file:
            file.write(text)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.clean()
            raise

    def __exit__(self, *_):
        self.clean()

    def start(self, environment=None):
        self.lines, self.events = [], []
        self.process = subprocess.Popen([DRIFTD, "--config", self.config], stderr=subprocess.PIPE,
                                        stdin=subprocess.DEVNULL, env={**os.environ, **(environment or {})})
        self.reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self.reader.start()
        first = self.wait_log(lambda line: line["msg"] == "driftd runs")
        for name in ("metrics", "jobs", "feedback", "events", "control"):
            if first.get(name):
                self.endpoints[name] = first[name].split()[0]
        self.http = first.get("http")
        return self

    def _read(self, process):
        for raw in process.stderr:
            text = raw.decode("utf-8", "replace").rstrip("\n")
            with self.changed:
                self.lines.append(text)
                try:
                    self.events.append(json.loads(text))
                except ValueError:
                    self.events.append({"msg": text})
                self.changed.notify_all()
        with self.changed:
            self.changed.notify_all()

    def wait_log(self, matches, patience_s=PATIENCE_S):
        """The first line of the log that matches; an error when the daemon ends or the time is over."""
        deadline = time.monotonic() + patience_s
        seen = 0
        with self.changed:
            while True:
                while seen < len(self.events):
                    seen += 1
                    if matches(self.events[seen - 1]):
                        return self.events[seen - 1]
                if not self.reader.is_alive() and seen == len(self.events):
                    raise AssertionError("the daemon ended: " + "\n".join(self.lines[-20:]))
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError("no such line: " + "\n".join(self.lines[-20:]))
                self.changed.wait(min(left, 1.0))

    def kill(self):
        self.process.kill()
        self.process.wait()
        self._join()

    def stop(self, number=signal.SIGTERM):
        """Stops it and returns its exit status."""
        self.process.send_signal(number)
        status = self.process.wait(PATIENCE_S)
        self._join()
        return status

    def _join(self):
        self.reader.join(PATIENCE_S)
        self.process.stderr.close()

    def clean(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process:
            self._join()
        self.context.destroy(linger=0)
        shutil.rmtree(self.folder, ignore_errors=True)

    def socket(self, kind, name, **options):
        """A socket of a client, connected to one of the daemon's endpoints."""
        socket = self.context.socket(kind)
        socket.linger = 0
        socket.ipv6 = "[" in self.endpoints[name]
        for key, value in options.items():
            setattr(socket, key, value)
        socket.connect(self.endpoints[name])
        return socket

    def publisher(self):
        """A serving node's socket that has heard the daemon's subscriptions: nothing it sends is lost by joining late."""
        socket = self.socket(zmq.XPUB, "metrics", sndhwm=0)
        for _ in range(3):
            receive(socket)
        return socket

    def ask(self, do, **arguments):
        socket = self.socket(zmq.REQ, "control")
        try:
            socket.send_json({"do": do, **arguments})
            return json.loads(receive(socket))
        finally:
            socket.close()

    def wait_status(self, matches, patience_s=PATIENCE_S):
        """Asks for the status until it matches: each answer is an event, since the daemon works between two of them."""
        deadline = time.monotonic() + patience_s
        while True:
            status = self.ask("status")
            if matches(status):
                return status
            if time.monotonic() > deadline:
                raise AssertionError("the status never was so: " + json.dumps(status))
            select.select([], [], [], 0.005)


def receive(socket, patience_s=PATIENCE_S):
    if not socket.poll(patience_s * 1000):
        raise AssertionError("nothing came in time")
    return socket.recv()


def event(**members):
    return json.dumps(members).encode()


def receive_parts(socket, patience_s=PATIENCE_S):
    if not socket.poll(patience_s * 1000):
        raise AssertionError("nothing came in time")
    return socket.recv_multipart()


def seconds(text):
    """An RFC 3339 time as seconds since the epoch."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
