"""driftc against the real daemon: reload, log-level, watch, top, and what every command has in common."""
import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
import unittest

import zmq

from line import BUILD, Daemon, event

DRIFTC = os.path.join(BUILD, "driftc")
MODEL = "shop/detector/v1"
PATIENCE_S = 60


def driftc(daemon, *arguments, **environment):
    return subprocess.run([DRIFTC, "--socket", daemon.endpoints["control"], *arguments], capture_output=True, text=True,
                          timeout=PATIENCE_S, env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **environment})


class Terminal:
    """A program on a terminal of a given size."""

    def __init__(self, *command, columns=80, lines=24, **environment):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave,
                                        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TERM": "xterm", **environment})
        os.close(slave)
        self.text = ""

    def read_until(self, part):
        deadline = time.monotonic() + PATIENCE_S
        while part not in self.text:
            ready, _, _ = select.select([self.master], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise AssertionError(f"never said {part!r}: {self.text!r}")
            try:
                piece = os.read(self.master, 65536)
            except OSError:
                piece = b""
            if not piece:
                raise AssertionError(f"ended without {part!r}: {self.text!r}")
            self.text += piece.decode()
        return self.text

    def press(self, keys):
        os.write(self.master, keys.encode())

    def end(self):
        while True:
            try:
                piece = os.read(self.master, 65536)
            except OSError:
                break
            if not piece:
                break
            self.text += piece.decode()
        os.close(self.master)
        return self.process.wait(PATIENCE_S)


def plain(text):
    return re.sub(r"\033\[[0-9;?]*[a-zA-Z]", "", text)


class Live(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.live = Daemon(backoff="1h").__enter__()
        cls.publisher = cls.live.publisher()
        with open(cls.live.config) as file:
            cls.good = file.read()
        for i in range(20):
            for accuracy in (0.9, 0.91, 0.95):
                cls.publisher.send_multipart([b"metrics/shop/quiet%02d/v1" % i, event(accuracy=accuracy, latency_ms=10)])
        cls.live.wait_status(lambda status: status.get("events", 0) == 60)

    @classmethod
    def tearDownClass(cls):
        cls.publisher.close()
        cls.live.clean()

    def tearDown(self):
        self.live.write_config(self.good)

    def test_reload_says_what_it_did(self):
        done = driftc(self.live, "reload")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"^The configuration is in force: 1 budgets, 0 of \d+ models have other settings than before \(.*\)\n$")
        self.assertEqual(json.loads(driftc(self.live, "--json", "reload").stdout)["budgets"], 1)

    def test_reload_says_every_mistake(self):
        self.live.write_config(self.good.replace("window: 4", "window: 0").replace("backoff: 1h", "backoff: 1"))
        done = driftc(self.live, "reload")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        lines = done.stderr.splitlines()
        self.assertEqual(len(lines), 3)
        self.assertRegex(lines[0], r"^/.*driftd\.yaml:\d+:\d+: budgets\[\]\.window: 0 is out of range")
        self.assertRegex(lines[1], r"^/.*driftd\.yaml:\d+:\d+: budgets\[\]\.backoff: 1 has no unit")
        self.assertTrue(lines[2].startswith("driftc: refused, the configuration before stays in force: /"), lines[2])
        said = json.loads(driftc(self.live, "reload", "--json").stdout)
        self.assertEqual((said["ok"], len(said["errors"])), (False, 2))
        self.assertIn("refused", driftc(self.live, "status").stdout)
        self.live.write_config(self.good)
        self.assertEqual(driftc(self.live, "reload").returncode, 0)
        self.assertRegex(driftc(self.live, "status").stdout, r"Reload +taken 20")

    def test_log_level(self):
        done = driftc(self.live, "log-level", "info")
        self.assertEqual((done.returncode, done.stdout), (0, "The log level is info, until the next reload or restart\n"))
        self.assertEqual(json.loads(driftc(self.live, "--json", "log-level", "debug").stdout), {"ok": True, "level": "debug"})
        done = driftc(self.live, "log-level", "loud")
        self.assertEqual((done.returncode, done.stderr),
                         (64, "driftc: 'loud' is no level; there are debug, info, warning and error\n"))
        self.assertEqual(driftc(self.live, "log-level").returncode, 64)

    def watching(self, *arguments):
        """A watch that has subscribed: it reloads until one of the reloads is seen."""
        process = subprocess.Popen([DRIFTC, "--socket", self.live.endpoints["control"], "watch", *arguments],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        return process

    def subscribed(self, process):
        deadline = time.monotonic() + PATIENCE_S
        lines = b""
        while b"reload" not in lines:
            self.assertLess(time.monotonic(), deadline)
            self.assertTrue(self.live.ask("reload")["ok"])
            if select.select([process.stdout], [], [], 0.1)[0]:
                lines += os.read(process.stdout.fileno(), 65536)
        return lines.decode()

    def test_watch_follows_events_a_line_each(self):
        process = self.watching()
        self.assertRegex(self.subscribed(process), r"(?m)^20..-..-.. ..:..:..Z  reload  -  ok=true models=\d+ changed=0 ")
        for _ in range(3):
            self.publisher.send_multipart([b"metrics/" + MODEL.encode(), event(accuracy=0.1)])
        seen = ""
        while "retraining.requested" not in seen:
            seen += process.stdout.readline().decode()
        self.assertRegex(seen, r"Z  budget.violated  shop/detector/v1  accuracy mean 0\.1 < 0\.8\n")
        process.terminate()
        self.assertEqual(process.wait(PATIENCE_S), 0)

    def test_watch_of_a_pattern_leaves_others_out_and_ends_when_told(self):
        everything, some = self.watching("--json"), self.watching("--json", "--count", "1", "farm/*")
        self.subscribed(everything)
        while some.poll() is None:  # until it, too, has subscribed
            for project in ("barn", "farm"):
                name = b"metrics/%s/m%d/v1" % (project.encode(), time.monotonic_ns())
                for _ in range(3):
                    self.publisher.send_multipart([name, event(accuracy=0.1)])
            select.select([some.stdout], [], [], 0.1)
        out = some.stdout.read().decode()
        self.assertEqual(some.returncode, 0)
        self.assertEqual(len(out.splitlines()), 1)
        self.assertTrue(json.loads(out)["subject"].startswith("farm/"))

    def test_watch_tells_of_events_that_did_not_arrive(self):
        events = zmq.Context.instance().socket(zmq.XPUB)
        self.addCleanup(events.close, 0)
        port = events.bind_to_random_port("tcp://127.0.0.1")
        process = self.watching("--json", "--count", "5", "--endpoint", f"tcp://127.0.0.1:{port}")
        self.assertTrue(events.poll(PATIENCE_S * 1000))
        for number in (7, 8, 11, 1, 2):  # the daemon is started again behind the third
            event = {"type": "driftd.reload", "data": {}, "sequence": "%020d" % number}
            events.send_multipart([b"driftd.reload", json.dumps(event).encode()])
        out, err = process.communicate(timeout=PATIENCE_S)
        self.assertEqual(len(out.splitlines()), 5)
        self.assertEqual(err.decode(), "driftc: 2 events before the next line did not arrive here\n")

    def test_watch_says_what_is_wrong(self):
        done = driftc(self.live, "watch", "a//b")
        self.assertEqual(done.returncode, 64)
        self.assertIn("is no pattern", done.stderr)
        done = driftc(self.live, "watch", "--endpoint", "nonsense")
        self.assertEqual(done.returncode, 64)
        self.assertIn("'nonsense' is no endpoint", done.stderr)
        done = driftc(self.live, "watch", "--count", "0")
        self.assertIn("--count takes a number of at least 1, not '0'", done.stderr)

    def test_top_draws_on_a_screen_of_its_own_and_gives_it_back(self):
        terminal = Terminal(DRIFTC, "--socket", self.live.endpoints["control"], "top", "--every", "0.1", "shop/*", columns=60, lines=20)
        text = terminal.read_until("q ends this")
        self.assertTrue(text.startswith("\033[?1049h\033[?25l"), repr(text[:40]))
        frame = plain(text.split("\033[J")[-1]).replace("\r", "").split("\n")
        self.assertLessEqual(len(frame), 20)
        self.assertLessEqual(max(map(len, frame)), 60)
        self.assertRegex(frame[0], r"^driftd \d")
        self.assertTrue(any("shop/quiet00/v1" in line for line in frame), frame)
        drawn = text.count("\033[J")
        terminal.press("x")
        while terminal.text.count("\033[J") <= drawn:
            terminal.text += os.read(terminal.master, 65536).decode()
        terminal.press("q")
        self.assertEqual(terminal.end(), 0)
        self.assertTrue(terminal.text.endswith("\033[?25h\033[?1049l"))

    def test_top_in_a_pipe_wants_json(self):
        done = driftc(self.live, "top")
        self.assertEqual(done.returncode, 64)
        self.assertIn("top needs a terminal", done.stderr)
        done = driftc(self.live, "--json", "top", "--count", "2", "--every", "0.1")
        both = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(len(both), 2)
        self.assertTrue(both[0]["status"]["ok"] and len(both[0]["models"]) >= 10)

    def test_tables_fit_the_terminal_and_colours_are_only_there(self):
        for columns in (40, 100):
            terminal = Terminal(DRIFTC, "--socket", self.live.endpoints["control"], "models", columns=columns)
            self.assertEqual(terminal.end(), 0)
            lines = plain(terminal.text).replace("\r", "").splitlines()
            self.assertGreater(len(lines), 20)
            self.assertLessEqual(max(map(len, lines)), columns)
            self.assertIn("\033[32m", terminal.text)
        terminal = Terminal(DRIFTC, "--socket", self.live.endpoints["control"], "models", NO_COLOR="1")
        self.assertEqual(terminal.end(), 0)
        self.assertNotIn("\033", terminal.text)
        self.assertNotIn("\033", driftc(self.live, "models", TERM="xterm").stdout)

    def test_a_model_shows_its_budgets_with_a_history(self):
        done = driftc(self.live, "model", "shop/quiet00/v1")
        self.assertRegex(done.stdout, r"accuracy +mean +0\.92 +min 0\.8 +held +\S*[\u2581-\u2588]{3}")

    def test_every_command_has_an_example_and_takes_json(self):
        listed = re.findall(r"(?m)^  (\S+) ", subprocess.run([DRIFTC, "help"], capture_output=True, text=True).stdout)
        self.assertIn("watch", listed)
        for command in listed:
            with self.subTest(command):
                text = subprocess.run([DRIFTC, "help", command], capture_output=True, text=True)
                self.assertEqual((text.returncode, text.stderr), (0, ""))
                self.assertRegex(text.stdout, r"(?m)^Example:\n +driftc %s\b" % command)
                self.assertIn("--json", text.stdout)
        for command in (["status"], ["models"], ["requests"], ["rejects"], ["model", "shop/quiet00/v1"], ["reload"]):
            self.assertTrue(json.loads(driftc(self.live, "--json", *command).stdout)["ok"], command)


if __name__ == "__main__":
    unittest.main()
