"""processes.py - the whole line on this machine: driftd, a serving node and a trainer, as three processes.

Everything lives in one temporary folder: configuration, store, models, images and Unix sockets, so it runs beside an
installed driftd and beside other runs. stop() leaves nothing behind; should this process be killed, the three get
SIGTERM from the kernel.
"""
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import zmq

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MODEL = "visutility/garments"
WINDOW = 16
ACCURACY_MIN = {"fashion": 0.72, "digits": 0.85}
GIVE_UP_AFTER = 3
CONFIGURATION = """\
metrics: {{bind: ["{metrics}"]}}
jobs:
  bind: ["{jobs}"]
  accept_within: 5s
  lease: 15s
  attempts: 3
  retry: {{first: 1s, max: 4s}}
feedback: {{bind: ["{feedback}"]}}
events: {{bind: ["{events}"]}}
control: {{bind: "{control}"}}
state: {{dir: "{state}"}}
log: {{level: info, format: logfmt}}

budgets:
  - models: "*"
    window: {window}
    min_events: {window}
    consecutive_failures: 3
    backoff: {backoff_s}s
    recover_after: {window}
    stale_after: 1m
    kpis:
      accuracy:   {{min: {accuracy_min}, over: mean}}
      latency_ms: {{max: 250, over: median}}

retraining:
  seed: {seed}
  give_up_after: {give_up_after}
  limits: {{per_model_per_day: 20}}
  choose: {choose}
  strategies:
    grid_search: {{gpu_hours: 8, parameters: {{grid: small}}}}
    bayesian:    {{gpu_hours: 3, parameters: {{trials: {trials}}}}}
    pbt:         {{gpu_hours: 12, parameters: {{population: 8}}}}
"""
PR_SET_PDEATHSIG = 1
SUN_PATH_MAX = 107  # bytes a Unix socket's path may have


@dataclass
class Plan:
    dataset: str = "fashion"
    camera: str = "rotation"
    choose: str = "cheapest"
    seed: int = 1
    interval_s: float = 0.1    # from batch to batch
    good_batches: int = 70
    step_batches: int = 12
    backoff_s: int = 5
    trials: int = 20           # of the Bayesian optimiser


@dataclass
class Child:
    name: str
    process: subprocess.Popen
    last_lines: deque = field(default_factory=lambda: deque(maxlen=15))
    rest: bytes = b""

    def read(self) -> list[str] | None:
        """The whole lines that have come since the last call; None: there will be no more."""
        try:
            data = os.read(self.process.stdout.fileno(), 65536)
        except BlockingIOError:
            return []
        if not data:
            return None
        *lines, self.rest = (self.rest + data).split(b"\n")
        texts = [line.decode("utf-8", "replace") for line in lines]
        self.last_lines.extend(texts)
        return texts


class ChildDied(Exception):
    pass


@dataclass
class News:
    """One thing that was heard. kind: "metrics" (subject: the model), "event" (its type), "line" (the child's name)."""
    kind: str
    subject: str
    body: dict | str


class Line:
    def __init__(self, build: Path, plan: Plan):
        self.driftd, self.plan, self.give_up_after = build / "driftd", plan, GIVE_UP_AFTER
        self.folder: Path | None = None
        self.children: list[Child] = []
        self.context = zmq.Context()
        self.poller = zmq.Poller()

    def endpoint(self, name: str) -> str:
        return f"ipc://{self.folder}/{name}.sock"

    # --- start and stop ---

    def start(self) -> None:
        self.folder = _short_temporary_folder()
        names = ("metrics", "jobs", "feedback", "events", "control")
        plan = self.plan
        (self.folder / "driftd.yaml").write_text(CONFIGURATION.format(
            **{name: self.endpoint(name) for name in names}, state=self.folder / "state", window=WINDOW,
            accuracy_min=ACCURACY_MIN[plan.dataset], backoff_s=plan.backoff_s, seed=plan.seed, choose=plan.choose,
            trials=plan.trials, give_up_after=GIVE_UP_AFTER))
        (self.folder / "state").mkdir()
        self.metrics = self._subscriber(self.endpoint("watch"), "metrics/")
        self.events = self._subscriber(self.endpoint("events"), "")
        self._spawn("driftd", [str(self.driftd), "--config", str(self.folder / "driftd.yaml")])
        work = ["--work", str(self.folder), "--dataset", plan.dataset, "--seed", str(plan.seed)]
        self._spawn("trainer", [sys.executable, str(HERE / "trainer.py"), *work, "--jobs", self.endpoint("jobs"),
                                "--feedback", self.endpoint("feedback")])
        self._spawn("node", [sys.executable, str(HERE / "node.py"), *work, "--connect", self.endpoint("metrics"),
                             "--bind", self.endpoint("watch"), "--model", MODEL, "--camera", plan.camera,
                             "--interval", str(plan.interval_s), "--good-batches", str(plan.good_batches),
                             "--step-batches", str(plan.step_batches)])

    def stop(self) -> None:
        """Ends everything and removes the folder. May be called at any time, and again."""
        # driftd last: it may still have to answer the trainer.
        for child in reversed(self.children):
            child.process.terminate()
            if child.name == "driftd":
                _wait_or_kill(self.children[1:])
        _wait_or_kill(self.children)
        for child in self.children:
            child.process.stdout.close()
        self.children = []
        self.context.destroy(linger=0)
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _spawn(self, name: str, command: list[str]) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        environment.pop("NOTIFY_SOCKET", None)  # whoever started us awaits no word from this driftd
        # Away from our terminal: Ctrl-C reaches this process only, which ends the others in order.
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   start_new_session=True, env=environment, preexec_fn=_die_with_parent)
        os.set_blocking(process.stdout.fileno(), False)
        self.children.append(Child(name, process))
        self.poller.register(process.stdout.fileno(), zmq.POLLIN)

    def _subscriber(self, endpoint: str, prefix: str) -> zmq.Socket:
        socket = self.context.socket(zmq.SUB)
        socket.connect(endpoint)
        socket.subscribe(prefix)
        self.poller.register(socket, zmq.POLLIN)
        return socket

    # --- what is going on ---

    def news(self, timeout_s: float) -> list[News]:
        """What was heard meanwhile; waits up to `timeout_s` for it. Raises ChildDied when one of them has ended."""
        ready = dict(self.poller.poll(int(timeout_s * 1000)))
        heard = []
        if self.metrics in ready:
            heard += [News("metrics", topic.removeprefix("metrics/"), body) for topic, body in _drain(self.metrics)]
        if self.events in ready:
            heard += [News("event", body["type"], body) for _, body in _drain(self.events)]
        for child in self.children:
            descriptor = child.process.stdout.fileno()
            if descriptor in ready:
                lines = child.read()
                if lines is None:
                    self.poller.unregister(descriptor)
                heard += [News("line", child.name, line) for line in lines or []]
            if child.process.poll() is not None:
                while child.read():
                    pass
                status = child.process.returncode
                how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
                last = "\n".join(f"    {line}" for line in child.last_lines) or "    (it wrote nothing)"
                raise ChildDied(f"{child.name} {how}; its last lines:\n{last}")
        return heard

    def ask(self, command: str, timeout_s: float = 2.0, **arguments) -> dict | None:
        """One question on driftd's control socket; None where no answer came in time."""
        with self.context.socket(zmq.REQ) as socket:
            socket.setsockopt(zmq.LINGER, 0)
            socket.connect(self.endpoint("control"))
            socket.send_json({"do": command, **arguments})
            return socket.recv_json() if socket.poll(timeout_s * 1000) else None

    def state_of(self, model: str) -> str | None:
        reply = self.ask("models", pattern=model)
        states = [entry["state"] for entry in (reply or {}).get("models", []) if entry["model"] == model]
        return states[0] if states else None

    def requests(self) -> list[dict]:
        reply = self.ask("requests")
        return (reply or {}).get("requests", [])


def _drain(socket: zmq.Socket) -> list[tuple[str, dict]]:
    messages = []
    try:
        while True:
            topic, body = socket.recv_multipart(zmq.NOBLOCK)
            messages.append((topic.decode(), json.loads(body)))
    except zmq.Again:
        return messages


def _short_temporary_folder() -> Path:
    folder = tempfile.mkdtemp(prefix="driftd-demo-")
    if len(folder) + len("/feedback.sock") > SUN_PATH_MAX:
        os.rmdir(folder)
        folder = tempfile.mkdtemp(prefix="driftd-demo-", dir="/tmp")
    return Path(folder)


def _wait_or_kill(children: list[Child], patience_s: float = 5.0) -> None:
    until = time.monotonic() + patience_s
    for child in children:
        try:
            child.process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()


_libc = ctypes.CDLL(None)


def _die_with_parent() -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
