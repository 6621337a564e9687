"""Malformed messages of every kind: each is counted under its reason, memory stays flat, and the daemon goes on.

MESSAGES says how many (20000).
"""
import collections
import os
import random
import struct
import sys
import unittest

import msgpack

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import line  # noqa: E402

COUNT = int(os.environ.get("MESSAGES", "20000"))
MAX_MESSAGE = 64 * 1024
GOOD = b"metrics/good/model/v1"

# (reason, frames): what each kind of message must be counted as. A reason stands once for each event that is dropped.
KINDS = [
    ("topic", [b"metrics/only/two", b"{}"]),
    ("topic", [b"metrics/", b"{}"]),
    ("topic", [b"metrics/a/b/c/d", b'{"accuracy":0.5}']),
    ("topic", [b"metrics//b/c", b'{"accuracy":0.5}']),
    ("topic", [b"metrics/ a/b/c", b'{"accuracy":0.5}']),
    ("topic", [b"metrics/a\xff/b/c", b'{"accuracy":0.5}']),
    ("topic", [b"metrics/a*/b/c", b'{"accuracy":0.5}']),
    ("topic", [b"metrics/" + b"x" * 129 + b"/b/c", b'{"accuracy":0.5}']),
    ("topic", [b"batch/", b"[]"]),
    ("topic", [b"beacon/", b"{}"]),
    ("frames", [GOOD]),
    ("frames", [GOOD, b"{}", b"{}"]),
    ("frames", [GOOD] + [b"x"] * 50),
    ("syntax", [GOOD, b""]),
    ("syntax", [GOOD, b'{"accuracy":0.5']),
    ("syntax", [GOOD, b'{"accuracy":NaN}']),
    ("syntax", [GOOD, b'{"accuracy":Infinity}']),
    ("syntax", [GOOD, b'{"accuracy":0.5,"accuracy":0.5}']),
    ("syntax", [GOOD, b'{"accuracy":0.5}}']),
    ("syntax", [GOOD, b'{"accuracy":.5}']),
    ("syntax", [GOOD, b'{"accuracy":0.5,}']),
    ("syntax", [GOOD, b'{"node":"\xff"}']),
    ("syntax", [GOOD, b"[" * 10000]),
    ("syntax", [GOOD, msgpack.packb({"accuracy": 0.5})[:-1]]),
    ("syntax", [GOOD, msgpack.packb({"accuracy": 0.5}) + b"\x00"]),
    ("syntax", [GOOD, b"\x82" + msgpack.packb("accuracy") + msgpack.packb(0.5) + msgpack.packb("accuracy") + msgpack.packb(0.6)]),
    ("syntax", [GOOD, b"\xc1"]),
    ("type", [GOOD, b'{"accuracy":"high"}']),
    ("type", [GOOD, b'{"accuracy":true}']),
    ("type", [GOOD, b'{"node":7,"accuracy":0.5}']),
    ("type", [GOOD, b'{"latency_ms":{"no":"histogram"}}']),
    ("range", [GOOD, b'{"accuracy":1.5}']),
    ("range", [GOOD, b'{"accuracy":-0.1}']),
    ("range", [GOOD, b'{"latency_ms":-1}']),
    ("range", [GOOD, b'{"n":0,"accuracy":0.5}']),
    ("not_finite", [GOOD, b'{"accuracy":1e400}']),
    ("not_finite", [GOOD, msgpack.packb({"latency_ms": float("inf")})]),
    ("not_finite", [GOOD, b"\x81" + msgpack.packb("accuracy") + b"\xcb" + struct.pack(">d", float("nan"))]),
    ("too_large", [GOOD, b" " * (MAX_MESSAGE + 1)]),
    ("future", [GOOD, b'{"timestamp":9999999999,"accuracy":0.5}']),
]


def resident_kib(process):
    with open(f"/proc/{process.pid}/status") as file:
        for text in file:
            if text.startswith("VmRSS:"):
                return int(text.split()[1])


class Malformed(unittest.TestCase):
    def run_all(self, workers):
        with line.Daemon(workers=workers, metrics_more="max_message: 64KiB, max_models: 3") as daemon:
            node = daemon.publisher()
            expected = collections.Counter()
            for i in range(3):
                node.send_multipart([b"metrics/good/model/v%d" % i, b'{"accuracy":0.9}'])
            # Workers keep no order among each other: without this a new model may come before one of the three.
            daemon.wait_status(lambda status: status.get("events", 0) == 3)
            resident = None
            for sent in range(COUNT):
                if sent == COUNT // 4:
                    self.wait(daemon, expected)
                    resident = resident_kib(daemon.process)
                reason, frames = KINDS[sent] if sent < len(KINDS) else random.choice(KINDS)
                if sent % 97 == 96:
                    reason, frames = "too_many_models", [b"metrics/new/model/v%d" % sent, b'{"accuracy":0.9}']
                expected[reason] += 1
                node.send_multipart(frames)
            node.send_multipart([b"metrics/good/model/v0", b'{"accuracy":0.9}'])
            status = self.wait(daemon, expected)
            daemon.wait_status(lambda status: status.get("events", 0) == 4)
            self.assertEqual(sum(status["models"].values()), 3)
            if not line.sanitized():
                self.assertLess(resident_kib(daemon.process), resident + 4096, "memory has grown")
            rejects = {reject["reason"]: reject for reject in daemon.ask("rejects")["rejects"]}
            self.assertEqual({name: reject["count"] for name, reject in rejects.items()}, dict(expected))
            for reject in rejects.values():
                self.assertTrue(reject["last"]["detail"])
            self.assertEqual(daemon.stop(), 0)
            self.assertEqual(daemon.events[-1]["dropped"], COUNT)

    def wait(self, daemon, expected):
        """Until as many are counted as were sent; then each stands under its own reason."""
        status = daemon.wait_status(lambda status: sum(status["dropped"].values()) >= sum(expected.values()), 600)
        self.assertEqual(status["dropped"], dict(expected))
        return status

    def test_each_kind_is_named(self):
        """One by one, so that a kind that is counted wrongly is known."""
        with line.Daemon(metrics_more="max_message: 64KiB") as daemon:
            node = daemon.publisher()
            before = {}
            for number, (reason, frames) in enumerate(KINDS):
                node.send_multipart(frames)
                now = daemon.wait_status(lambda status: sum(status["dropped"].values()) > number)["dropped"]
                grown = {name: count for name, count in now.items() if count != before.get(name, 0)}
                self.assertEqual(grown, {reason: before.get(reason, 0) + 1}, frames)
                before = now

    def test_without_workers(self):
        self.run_all("0")

    def test_with_workers(self):
        self.run_all("2")

    def test_random_bytes(self):
        """What is no message at all: the count of drops is that of the messages, since no event comes of noise."""
        with line.Daemon() as daemon:
            node = daemon.publisher()
            source = random.Random(1)
            for _ in range(2000):
                node.send_multipart([GOOD, b"\xc1" + source.randbytes(source.randrange(300))])
            status = daemon.wait_status(lambda status: sum(status["dropped"].values()) == 2000)
            self.assertEqual(status["dropped"], {"syntax": 2000})
            self.assertEqual(status["events"], 0)


if __name__ == "__main__":
    unittest.main()
