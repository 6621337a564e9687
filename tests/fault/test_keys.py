"""CURVE under attack: who has no key, whose key was taken away, and what happens when the one who lets people in is stopped.

By hand: python3 tests/fault/test_keys.py [Keys.test_...]. Spoofed projects, unknown keys and wrong roles stand in
tests/line/test_daemon_curve.py, keys that are taken away from a trainer or an observer in tests/line/test_daemon_revoked.py.
"""
import ctypes
import json
import os
import signal
import unittest

import zmq

from catalogue import line, say, size
from curve import CurveCase
from curve import Keys as Pair

PTRACE_CONT, PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 7, 17, 0x4206, 0x4207
WALL = 0x40000000


class Stopped:
    """One thread of the daemon stands still, the others run."""

    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long

    def __init__(self, thread):
        self.thread = thread

    def call(self, request):
        if self.libc.ptrace(request, self.thread, None, None) < 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))

    def __enter__(self):
        self.call(PTRACE_SEIZE)
        self.call(PTRACE_INTERRUPT)
        os.waitpid(self.thread, WALL)
        return self

    def __exit__(self, *_):
        self.call(PTRACE_DETACH)


class Keys(CurveCase):
    def thread(self, name):
        tasks = f"/proc/{self.daemon.process.pid}/task"
        for task in os.listdir(tasks):
            with open(f"{tasks}/{task}/comm") as file:
                if file.read().strip() == name:
                    return int(task)
        self.fail(f"there is no thread called {name}")

    def flow(self, node, count=20):
        before = self.daemon.wait_status(lambda status: "events" in status)["events"]
        for _ in range(count):
            node.send_multipart([b"metrics/shop/well/v1", line.event(accuracy=0.95)])
        self.daemon.wait_status(lambda status: status.get("events", 0) >= before + count)

    def test_the_one_at_the_door_is_stopped(self):
        """Nobody comes in, not even with a good key; who is in goes on; afterwards all is as before."""
        with self.daemon:
            node = self.publisher(self.node)
            self.flow(node)
            try:
                with Stopped(self.thread("security")):
                    knocking = [self.knock(zmq.XPUB, "metrics", Pair()), self.knock(zmq.XPUB, "metrics", self.node),
                                self.knock(zmq.PULL, "jobs", self.trainer), self.knock(zmq.SUB, "events", Pair())]
                    self.flow(node)
                    for socket, monitor in knocking:
                        self.kept_out(socket, monitor)
            except PermissionError as error:
                self.skipTest(f"a thread cannot be stopped here: {error}")
            self.flow(self.publisher(self.node))
            self.kept_out(*self.knock(zmq.XPUB, "metrics", Pair()))

    def test_signals_do_not_open_the_door(self):
        """A signal to the very thread is blocked, and he goes on asking for keys."""
        with self.daemon:
            thread = self.thread("security")
            for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGWINCH):
                self.assertEqual(Stopped.libc.tgkill(self.daemon.process.pid, thread, int(number)), 0)
            self.kept_out(*self.knock(zmq.XPUB, "metrics", Pair()))
            self.flow(self.publisher(self.node))

    def test_a_crowd_without_keys(self):
        """Hundreds who try again and again cost time at the door; who is in, and who may come in, is not shut out."""
        with self.daemon:
            node = self.publisher(self.node)
            crowd = [self.socket(zmq.PUB, name, Pair(), reconnect_ivl=10) for name in ("metrics",) * size(500, 100)]
            self.daemon.wait_status(lambda status: status["security"]["refused"]["unknown_key"] >= 2 * len(crowd))
            self.flow(node)
            self.flow(self.publisher(self.node))
            for socket in crowd:
                socket.close()
            told = [entry for entry in self.daemon.events if entry.get("msg", "").startswith("a key that clients.yaml")]
            self.assertLessEqual(len(told), 1 + line.PATIENCE_S // 10)
            say(f"{len(crowd)} without keys: {json.dumps(self.daemon.ask('status')['security'])}, {len(told)} lines in the log")

    def test_a_node_comes_back(self):
        """A key that is taken away is refused with its next message, and given back it holds again, on the same connection."""
        with self.daemon:
            node = self.publisher(self.node)
            self.flow(node)
            self.clients("[]\n")
            self.assertTrue(self.daemon.ask("reload")["ok"])
            node.send_multipart([b"metrics/shop/well/v1", line.event(accuracy=0.95)])
            self.daemon.wait_status(lambda status: status.get("dropped", {}) == {"unauthorized": 1})
            self.clients(self.node.line("camera", "node", "[shop]"))
            self.assertTrue(self.daemon.ask("reload")["ok"])
            self.flow(node)


if __name__ == "__main__":
    unittest.main()
