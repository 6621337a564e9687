"""Messages that are too large, too many, or full of what breaks lines and terminals.

By hand: FAULT_FULL=1 python3 tests/fault/test_messages.py [Messages.test_...]
"""
import json
import os
import re
import resource
import socket
import struct
import subprocess
import sys
import unittest
import urllib.request

import zmq

from catalogue import ABSTRACT, GREETING, LOOPBACK, FaultCase, line, peer, size, until_closed

DRIFTC = os.path.join(line.BUILD, "driftc")
NASTY = [b"a\nb", b"a\0b", b"a\x1b[31mb", b"\xff\xfe", b"a\r\nlevel=error msg=forged", b"\xc2\x9b31m", b"x" * 65536,
         b'a"b\\c{d}', "\u202eevil".encode(), b"a,b=c d"]
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


# An observer that subscribes faster than anybody can take it, comes and goes, and gives up soon where its heartbeats are not answered.
HASTY = """
import random, sys, time, zmq
chance, end, number = random.Random(int(sys.argv[2])), time.monotonic() + float(sys.argv[3]), 0
context = zmq.Context()
while time.monotonic() < end:
    socket = context.socket(zmq.XSUB)
    socket.linger, socket.sndhwm, socket.heartbeat_ivl, socket.heartbeat_timeout = 0, 0, 5, 10
    socket.connect(sys.argv[1])
    until = time.monotonic() + 3 * chance.random()
    while time.monotonic() < min(until, end):
        for _ in range(200):
            number += 1
            socket.send(b"\\x01t%d" % number)
        time.sleep(0.001)
    socket.close()
"""


class Messages(FaultCase):
    def test_a_gibibyte_in_one_frame(self):
        """The connection that announces it is ended; its sender sees a closed connection, the others nothing."""
        for name, kind in (("metrics", b"PUB"), ("feedback", b"DEALER"), ("jobs", b"PULL"), ("events", b"SUB")):
            connection = peer(self.daemon.endpoints[name], kind)
            try:
                connection.sendall(b"\x02" + struct.pack(">Q", 1 << 30))
                connection.sendall(bytes(1 << 20))
            except ConnectionError:
                pass
            until_closed(connection)
        self.is_well(ceiling_mb=32, note="1 GiB announced on four sockets; ")

    def test_frames_without_end(self):
        """More and more frames of one message: it is bounded as a whole, its connection ended, and it is counted."""
        connection = peer(self.daemon.endpoints["metrics"])
        said = b""
        while b"beacon/" not in said:
            said += connection.recv(4096)
        frame = b"\x03" + struct.pack(">Q", 1 << 20) + bytes(1 << 20)
        sent = 0
        with self.assertRaises(ConnectionError):
            connection.sendall(b"\x01\x08metrics/")
            while sent < size(1024, 128) << 20:
                connection.sendall(frame)
                sent += 1 << 20
        connection.close()
        self.daemon.wait_status(lambda status: status.get("dropped", {}).get("too_large", 0) == 1)
        self.daemon.wait_log(lambda entry: entry["msg"] == "a node's connection was ended")
        self.is_well(ceiling_mb=32, note=f"{sent >> 20} MiB in one message; ")

    def test_frames_without_end_that_end(self):
        """A hundred thousand small frames in one message are one drop."""
        self.node.send_multipart([b"metrics/shop/well/v1"] + [b"x"] * size(100000, 10000))
        self.daemon.wait_status(lambda status: status.get("dropped", {}).get("frames", 0) == 1)
        self.is_well(note="one message of many frames; ")

    def test_hasty_observers(self):
        """libzmq ends a process that reads a heartbeat from a connection that it had stopped reading and that ended meanwhile
        (docs/decisions/0033): it does not stop to read what observers say."""
        crowd = [subprocess.Popen([sys.executable, "-c", HASTY, self.daemon.endpoints["events"], str(seed), str(size(60, 5))])
                 for seed in range(4)]
        for observer in crowd:
            observer.wait()
        self.is_well(ceiling_mb=1000, note=f"{len(crowd)} hasty observers; ")

    def test_topics_that_nobody_asked_for(self):
        """A publisher that does not leave out what is not subscribed to: each message is counted, none holds up a turn."""
        count = size(1000000, 20000)
        connection = peer(self.daemon.endpoints["metrics"])
        said = b""
        while b"beacon/" not in said: # what comes before the daemon has said its own ends the connection
            said += connection.recv(4096)
        connection.sendall(b"\x01\x09weather/x\x00\x02{}" * count)
        self.daemon.wait_status(lambda status: status.get("dropped", {}).get("topic", 0) == count)
        connection.close()
        self.is_well(note=f"{count} messages of other topics; ")

    def printed(self, *command):
        done = subprocess.run([DRIFTC, "--socket", self.daemon.endpoints["control"], *command], capture_output=True,
                              timeout=line.PATIENCE_S)
        return (done.stdout + done.stderr).decode("utf-8")

    def get(self, path):
        with urllib.request.urlopen(f"http://{self.daemon.http}{path}", timeout=line.PATIENCE_S) as answer:
            return answer.read().decode("utf-8")

    def send_nasty(self):
        """In every place that a name can stand in. How many of them are messages of metrics."""
        sent = 0
        for text in NASTY:
            for place in range(3):
                segments = [b"shop", b"m", b"v"]
                segments[place] = text
                self.node.send_multipart([b"metrics/" + b"/".join(segments), line.event(accuracy=0.9)])
            quoted = json.dumps(text.decode("utf-8", "replace")).encode()
            for payload in (b'{"accuracy": 0.9, "node": %s, "boot": %s, "seq": 3}', b'{"accuracy": %s, "x": %s}', b'{%s: 1, %s: 2}'):
                self.node.send_multipart([b"metrics/shop/well/v1", payload % (quoted, quoted)])
            self.node.send_multipart([b"batch/" + text, b'[{"model": %s, "accuracy": 1}]' % quoted])
            self.node.send_multipart([b"beacon/" + text, b'{"node": %s, "boot": 1, "topics": {%s: 1}}' % (quoted, quoted)])
            self.node.send_multipart([b"metrics/shop/well/v1", text])
            sent += 9
            for part in (text, b'{"say": %s, "request": %s, "attempt": 1, "trainer": %s}' % (quoted, quoted, quoted),
                         json.dumps({"say": "progress", "request": self.said["request"], "attempt": 1, "trainer": "t",
                                     "note": text.decode("utf-8", "replace")[:200]}).encode()):
                feedback = self.daemon.socket(zmq.REQ, "feedback")
                feedback.send(part)
                json.loads(line.receive(feedback))
                feedback.close()
            if len(text) > 60000: # a question of more than 64 KiB ends its connection
                continue
            for ask in ({"do": text.decode("utf-8", "replace")}, {"do": "model", "model": text.decode("utf-8", "replace")},
                        {"do": "silence", "pattern": text.decode("utf-8", "replace"), "for_s": 60, "reason": "x"}):
                control = self.daemon.socket(zmq.REQ, "control")
                control.send_json(ask)
                json.loads(line.receive(control))
                control.close()
        return sent

    def test_names_that_break_lines(self):
        """Wherever a name is printed it stays in its line: the log, driftc, the metrics, JSON."""
        before = self.daemon.wait_status(lambda status: "received" in status)["received"]
        sent = self.send_nasty()
        status = self.daemon.wait_status(lambda status: status.get("received", 0) >= before + sent)
        self.assertGreater(sum(status["dropped"].values()), 0)
        for command in (["status"], ["models"], ["model", "shop/well/v1"], ["requests"], ["request", self.said["request"]],
                        ["rejects"]):
            self.assertIsNone(CONTROL.search(self.printed(*command)), command)
            shown = self.printed("--json", *command)
            self.assertTrue(shown.startswith("{"), (command, shown[:500]))
            json.loads(shown)
        # A label holds what a node sent: there only the end of a line, quotes and backslashes are escaped.
        for text in self.get("/metrics").strip("\n").split("\n"):
            self.assertRegex(text, r'^(#.*|[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-z_]+="([^"\\\n]|\\.)*",?)*\})? [-+0-9.eEinfNa]+)$')
        for path in ("/api/v1/status", "/api/v1/models", "/api/v1/requests"):
            json.loads(self.get(path))
        self.is_well(note=f"{sent} messages with bad names; ")
        for text in self.daemon.lines:
            self.assertIsNone(CONTROL.search(text), text[:200])
            json.loads(text)

    def test_a_stalled_reader_of_the_page(self):
        """Who asks HTTP and reads nothing, or says half of a question, holds nobody up."""
        host, port = self.daemon.http.rsplit(":", 1)
        crowd = []
        for number in range(size(200, 50)):
            connection = socket.create_connection((host, int(port)), timeout=line.PATIENCE_S)
            connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n" + (b"\r\n" if number % 2 else b""))
            crowd.append(connection)
        self.flow(self.node)
        for connection in crowd:
            connection.close()
        self.is_well(note=f"{len(crowd)} stalled readers; ")


class Models(FaultCase):
    MODELS = size(100000, 3000)
    options = {"metrics_more": f"max_models: {MODELS}"}

    def test_a_million_models(self):
        """Beyond metrics.max_models each event is dropped and counted; those who were there go on."""
        sent = size(1000000, 30000)
        batch = 500
        for begun in range(0, sent, batch):
            events = [{"model": f"crowd/m{number}/v", "accuracy": 0.9} for number in range(begun, begun + batch)]
            self.node.send_multipart([b"batch/b", json.dumps(events).encode()])
        beyond = sent - self.MODELS + 1 # "ill" is there
        status = self.daemon.wait_status(lambda status: status.get("dropped", {}).get("too_many_models", 0) >= beyond, 600)
        self.assertEqual(status["dropped"], {"too_many_models": beyond})
        self.is_well(ceiling_mb=16 + self.MODELS * 0.0055, note=f"{sent} models, {self.MODELS} kept; ")

    def flow(self, node, count=100):
        """The model that it usually speaks of would be one too many."""
        before = self.events()
        for _ in range(count):
            node.send_multipart([b"metrics/crowd/m1/v", line.event(accuracy=0.95)])
        self.daemon.wait_status(lambda status: status.get("events", 0) >= before + count)


class OfLibzmq(FaultCase):
    """What comes through libzmq's socket."""

    endpoints = {**LOOPBACK, **ABSTRACT}

    def test_frames_without_end(self):
        """More and more frames of one message, until there is no memory: either libzmq ends the connection that it has none
        for, or the daemon ends, is started again, and has every request.

        ZMQ_MAXMSGSIZE bounds a frame, not a message: what bounds this is the key of who sends (CURVE), and MemoryMax."""
        if line.sanitized():
            self.skipTest("the address space of a sanitizer cannot be limited")
        with open(f"/proc/{self.daemon.process.pid}/statm") as file:
            used = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        room = size(1024, 128) << 20
        self.limit(resource.RLIMIT_AS, used + room)
        connection = peer(self.daemon.endpoints["metrics"])
        frame = b"\x03" + struct.pack(">Q", 1 << 20) + bytes(1 << 20)
        sent = 0
        try:
            connection.sendall(b"\x01\x08metrics/")
            while sent < 4 * room:
                connection.sendall(frame)
                sent += 1 << 20
        except ConnectionError:
            pass
        connection.close()
        self.assertLess(sent, 4 * room)
        how = "its connection was ended"
        if self.ended():
            how = "the daemon ended and was started again"
            self.start_again()
        self.is_well(ceiling_mb=room / 1e6, note=f"{sent >> 20} MiB in one message, {how}; ")

    def ended(self):
        """Whether it has, or does before it has answered."""
        control = self.daemon.socket(zmq.REQ, "control")
        control.send_json({"do": "status"})
        try:
            while not control.poll(50):
                if self.daemon.process.poll() is not None:
                    return True
            return False
        finally:
            control.close()

    def start_again(self):
        self.assertNotEqual(self.daemon.process.returncode, 0)
        self.daemon._join()
        self.node.close()
        self.daemon.start()
        self.node = self.daemon.publisher()
        self.before = self.memory_mb(), self.descriptors()


class Ceiling(FaultCase):
    """What stands in libzmq's queues counts as well: while it brings the process to its ceiling no model is made."""

    options = {"metrics_more": "max_models: 10"}
    endpoints = {**LOOPBACK, **ABSTRACT}

    def closed(self, status):
        memory = status["memory"]
        return memory["in_use"] >= memory["ceiling"]

    def speak_of(self, model, topic):
        self.node.send_multipart([b"metrics/" + topic, line.event(accuracy=0.95)])
        self.node.send_multipart([b"metrics/" + model, line.event(accuracy=0.95)])

    def test_memory_at_its_ceiling(self):
        if line.sanitized():
            self.skipTest("a sanitizer's memory is not the allocator's")
        self.flow(self.node)
        ceiling = self.daemon.wait_status(lambda status: status["memory"]["in_use"])["memory"]["ceiling"]
        self.assertLess(ceiling, 256 << 20)
        connection = peer(self.daemon.endpoints["metrics"])
        said = b""
        while len(said) < len(GREETING) + 20:  # its greeting and more: the connection is ready
            said += connection.recv(256)
        connection.sendall(b"\x01\x08metrics/")
        for _ in range((ceiling >> 20) + 16):
            connection.sendall(b"\x03" + struct.pack(">Q", 1 << 20) + bytes(1 << 20))
        self.daemon.wait_status(self.closed)
        before = self.daemon.ask("status")
        self.speak_of(b"shop/late/v1", b"shop/well/v1")
        status = self.daemon.wait_status(lambda status: status["dropped"].get("too_many_models"))
        self.assertEqual(status["events"], before["events"] + 1)  # who is in goes on
        self.assertGreaterEqual(status["memory"]["refused"], 1)
        self.daemon.wait_log(lambda entry: entry["msg"].startswith("memory is at its ceiling"))
        connection.close()
        self.daemon.wait_status(lambda status: not self.closed(status))
        self.speak_of(b"shop/late/v1", b"shop/well/v1")
        self.daemon.wait_status(lambda status: status["events"] == before["events"] + 3)
        self.is_well(note=f"{ceiling >> 20} MiB of an endless message, and of models; ")


if __name__ == "__main__":
    unittest.main()
