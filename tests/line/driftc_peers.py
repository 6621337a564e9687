"""Small peers for the tests of driftc: they speak the protocol from its description and share no code with the daemon."""
import contextlib
import fcntl
import json
import os
import pty
import re
import select
import socket
import struct
import subprocess
import tempfile
import termios
import threading
import time
import unicodedata
import unittest

import zmq

DRIFTC = os.path.abspath(os.path.join(os.environ.get("BUILD", "build"), "driftc"))
LIMIT_S = 60 # for anything that would otherwise hang
SGR = re.compile(r"\x1b\[[0-9;]*m")

# Names as an attacker would choose them: colours, cursor, clear screen, C1, direction of writing, no width, line ends.
HOSTILE = "shop/\x1b[2J\x1b[31mred\x07/v\u009b1m\u202egnp.\u200b\u2066\r\n\x7f"


def environment(**changes):
    """The tests' own environment, with nothing in it that changes what driftc prints."""
    env = {k: v for k, v in os.environ.items() if k not in ("LANG", "LC_ALL", "LC_CTYPE", "NO_COLOR", "ARGP_HELP_FMT", "COLUMNS")}
    env["TERM"] = "xterm"
    for key, value in changes.items():
        env.pop(key, None)
        if value is not None:
            env[key] = value
    return env


def run(*words, env=None, **more):
    return subprocess.run([DRIFTC, *words], capture_output=True, timeout=LIMIT_S, env=env or environment(),
                          stdin=more.pop("stdin", subprocess.DEVNULL) if "input" not in more else None, **more)


def run_on_terminal(*words, columns=80, env=None):
    """Runs driftc with a terminal for its output; returns (status, text)."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([DRIFTC, *words], stdin=subprocess.DEVNULL, stdout=slave, stderr=slave, env=env or environment())
    os.close(slave)
    output = b""
    while select.select([master], [], [], LIMIT_S)[0]:
        try:
            chunk = os.read(master, 65536)
        except OSError: # the other end is closed
            break
        if not chunk:
            break
        output += chunk
    os.close(master)
    return process.wait(LIMIT_S), output.decode().replace("\r\n", "\n")


def width(text):
    """Columns of text on a terminal, by the tables of another implementation."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


class Control:
    """The daemon's side of the control socket: `answer(question)` gives a dict, raw frames, or None for silence."""

    def __init__(self, folder, answer):
        self.endpoint = f"ipc://{folder}/control.sock"
        self.questions = []
        self._answer = answer
        self._socket = zmq.Context.instance().socket(zmq.ROUTER)
        self._socket.linger = 0
        self._socket.bind(self.endpoint)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while not self._stop.is_set():
            if not self._socket.poll(20):
                continue
            frames = self._socket.recv_multipart()
            empty = frames.index(b"")
            question = json.loads(frames[empty + 1])
            self.questions.append(question)
            answer = self._answer(question)
            if isinstance(answer, dict):
                answer = [json.dumps(answer, ensure_ascii=False).encode()]
            if answer is not None:
                self._socket.send_multipart(frames[:empty + 1] + answer)
        self._socket.close()

    def close(self):
        self._stop.set()
        self._thread.join()


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="driftc-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def control(self, answer):
        peer = Control(self.folder, answer)
        self.addCleanup(peer.close)
        return peer

    def sentence(self, output):
        """Exactly one line, which driftc says."""
        text = output.decode()
        self.assertTrue(text.startswith("driftc"), text)
        self.assertEqual(text.count("\n"), 1, text)
        return text

    def assert_harmless(self, text, colours=False):
        if colours:
            text = SGR.sub("", text)
        for c in text:
            point = ord(c)
            self.assertFalse((point < 32 and c != "\n") or 0x7f <= point < 0xa0 or 0x200b <= point <= 0x200f or
                             0x202a <= point <= 0x202e or 0x2060 <= point <= 0x206f, f"U+{point:04X} in {text!r}")


def listens(path):
    """Whether somebody listens on a Unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


def until(condition, what):
    """Waits for something that has to happen."""
    end = time.monotonic() + LIMIT_S
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"did not happen: {what}")
        time.sleep(0.005)


@contextlib.contextmanager
def started(*words, env=None, **more):
    """driftc in the background; killed at the end if it still runs."""
    process = subprocess.Popen([DRIFTC, *words], env=env or environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               **more)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
