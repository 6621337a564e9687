"""catalogue.py - a daemon at work, what is done to it, and whether it is well afterwards.

Before each fault a request is made and accepted. After it: events of nodes who were there before and of new ones are taken,
memory is under its ceiling, descriptors are back, and the request goes on where it was.

FAULT_FULL=1 takes the sizes of docs/security.md; without it a share of them runs in seconds.
"""
import json
import os
import resource
import socket
import struct
import sys
import time
import unittest

import zmq

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "line"))
import line  # noqa: E402

FULL = os.environ.get("FAULT_FULL") == "1"
ABSTRACT = {"metrics": f"ipc://@driftd-fault-{os.getpid()}"}  # read by libzmq; plain TCP and paths the daemon reads itself
LOOPBACK = {name: "tcp://127.0.0.1:*" for name in ("metrics", "jobs", "feedback", "events")}
CEILING_MB = 64   # that a fault may leave behind
SPARE = 16        # descriptors, of connections that are about to end


def size(full, share):
    return full if FULL else share


def say(text):
    print("      " + text, file=sys.stderr, flush=True)


def address(endpoint):
    host, port = endpoint[len("tcp://"):].rsplit(":", 1)
    return host, int(port)


# ZMTP 3.0 (RFC 23): a greeting, and the READY of a publisher, as bytes.
GREETING = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\0") + b"\0" + bytes(31)


def ready(kind):
    body = b"\x05READY" + b"\x0bSocket-Type" + struct.pack(">I", len(kind)) + kind
    return b"\x04" + bytes([len(body)]) + body


def peer(endpoint, kind=b"PUB"):
    """A connection that has said its name and goes no further."""
    if endpoint.startswith("ipc://"):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(line.PATIENCE_S)
        path = endpoint[len("ipc://"):]
        connection.connect("\0" + path[1:] if path.startswith("@") else path)
    else:
        connection = socket.create_connection(address(endpoint), timeout=line.PATIENCE_S)
    connection.sendall(GREETING + ready(kind))
    return connection


def until_closed(connection):
    """Reads until the other side ends the connection."""
    connection.settimeout(line.PATIENCE_S)
    try:
        while connection.recv(65536):
            pass
    except ConnectionError:
        pass
    connection.close()


class FaultCase(unittest.TestCase):
    """One daemon a test. `options` go to line.Daemon."""

    options = {}
    endpoints = LOOPBACK

    def setUp(self):
        self.daemon = line.Daemon(http="127.0.0.1:0", **self.endpoints, **self.options)
        self.addCleanup(self.daemon.clean)
        self.daemon.start()
        self.node = self.daemon.publisher()
        self.sent = 0
        self.begin_request()
        self.before = self.memory_mb(), self.descriptors()
        self.began = time.monotonic()

    def memory_mb(self):
        with open(f"/proc/{self.daemon.process.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.daemon.process.pid}/fd"))

    def established(self, name):
        """Connections with one of the daemon's sockets."""
        port = address(self.daemon.endpoints[name])[1]
        with open(f"/proc/{self.daemon.process.pid}/net/tcp") as file:
            rows = [row.split() for row in file.readlines()[1:]]
        return sum(row[1].endswith(f":{port:04X}") and row[3] == "01" for row in rows)

    def limit(self, which, most):
        """Of the daemon alone, as its unit would."""
        _, hard = resource.prlimit(self.daemon.process.pid, which)
        resource.prlimit(self.daemon.process.pid, which, (most, hard))

    def events(self):
        return self.daemon.wait_status(lambda status: "events" in status)["events"]

    def flow(self, node, count=100):
        before = self.events()
        for _ in range(count):
            node.send_multipart([b"metrics/shop/well/v1", line.event(accuracy=0.95)])
        self.daemon.wait_status(lambda status: status.get("events", 0) >= before + count)

    def begin_request(self):
        jobs = self.daemon.socket(zmq.PULL, "jobs", rcvhwm=1)
        for _ in range(4):
            self.node.send_multipart([b"metrics/shop/ill/v1", line.event(accuracy=0.1)])
        job = json.loads(line.receive(jobs))["data"]
        jobs.close()
        self.said = {"request": job["request"], "attempt": job["attempt"], "trainer": "t"}
        self.assertTrue(self.tell("accept")["ok"])

    def tell(self, say, **more):
        feedback = self.daemon.socket(zmq.REQ, "feedback")
        try:
            feedback.send_json({"say": say, **self.said, **more})
            return json.loads(line.receive(feedback))
        finally:
            feedback.close()

    def await_descriptors(self, most):
        """Connections end when libzmq gets to it: each answer of the daemon is a chance."""
        deadline = time.monotonic() + line.PATIENCE_S
        while self.descriptors() > most:
            if time.monotonic() > deadline:
                self.fail(f"{self.descriptors()} descriptors, expected up to {most}")
            self.daemon.ask("status")

    def is_well(self, ceiling_mb=CEILING_MB, note=""):
        self.assertIsNone(self.daemon.process.poll(), "the daemon has ended: " + "\n".join(self.daemon.lines[-5:]))
        self.flow(self.node)
        newcomer = self.daemon.publisher()
        self.flow(newcomer)
        newcomer.close()
        self.assertTrue(self.tell("progress", fraction=0.5)["ok"])
        self.assertTrue(self.tell("done", version="v2")["ok"])
        self.daemon.wait_status(lambda status: status.get("requests", {}).get("DONE") == 1)
        self.await_descriptors(self.before[1] + SPARE)
        grown = self.memory_mb() - self.before[0]
        if not line.sanitized():
            self.assertLess(grown, ceiling_mb)
        say(f"{self._testMethodName}: {note}{time.monotonic() - self.began:.1f} s, memory {grown:+.1f} MB, "
            f"descriptors {self.before[1]} -> {self.descriptors()}")
