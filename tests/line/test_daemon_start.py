"""How the daemon starts, refuses to start, and stops."""
import contextlib
import ctypes
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

import zmq

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import line  # noqa: E402


def run(*arguments, **options):
    return subprocess.run([line.DRIFTD, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=line.PATIENCE_S, stdin=subprocess.DEVNULL, **options)


class Arguments(unittest.TestCase):
    def test_version_and_help(self):
        done = run("--version")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"^driftd \d+\.\d+\.\d+\n$")
        done = run("--help")
        self.assertEqual(done.returncode, 0)
        for word in ("--config", "--check", "--no-env", "78"):
            self.assertIn(word, done.stdout)

    def test_wrong_usage(self):
        for arguments, part in ((["--dance"], "dance"), (["extra"], "extra"), (["--conf-dir"], "requires an argument"),
                                (["--print-config", "--check"], "which of them"), (["--no-env"], "--check")):
            done = run(*arguments)
            self.assertEqual(done.returncode, 64, arguments)
            self.assertIn(part, done.stderr)


class Configuration(unittest.TestCase):
    FIVE = """metrics: {queue: many}
jobs: {feedback: perhaps}
wrokers: 3
budgets:
  - models: "*"
    window: 0
    kpis: {accuracy: {min: 1.5}}
"""

    def check(self, text, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "driftd.yaml")
            with open(path, "w") as file:
                file.write(text)
            return path, run("--config", path, *arguments)

    def test_five_mistakes_are_five_lines(self):
        for arguments in ([], ["--check"]):
            path, done = self.check(self.FIVE, *arguments)
            self.assertEqual(done.returncode, 78)
            lines = done.stderr.splitlines()
            self.assertEqual(len(lines), 5, done.stderr)
            for number, text in zip((1, 2, 3, 6, 7), lines):
                self.assertRegex(text, "^" + re.escape(path) + rf":{number}:\d+: ")

    def test_good_is_silent(self):
        _, done = self.check("", "--check")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_a_missing_file(self):
        done = run("--config", "/nonexistent/driftd.yaml")
        self.assertEqual(done.returncode, 78)
        self.assertIn("/nonexistent/driftd.yaml", done.stderr)

    def test_variables(self):
        text = "state: {dir: '${DRIFTD_TEST_DIR:?say where}'}\n"
        _, done = self.check(text, "--check")
        self.assertEqual(done.returncode, 78)
        self.assertIn("say where", done.stderr)
        _, done = self.check(text, "--check", "--no-env")
        self.assertEqual(done.returncode, 0, done.stderr)


class Taken(unittest.TestCase):
    """What belongs to somebody else is left alone: exit status 69, and a sentence with the key and the endpoint."""

    def refused(self, daemon, status=69):
        done = run("--config", daemon.config)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stderr

    def test_tcp(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            endpoint = f"tcp://127.0.0.1:{other.getsockname()[1]}"
            for name, key in (("metrics", "metrics.bind"), ("events", "events.bind"), ("jobs", "jobs.bind"),
                              ("feedback", "feedback.bind")):
                daemon = line.Daemon(**{name: endpoint})
                try:
                    text = self.refused(daemon)
                finally:
                    daemon.clean()
                self.assertIn(key, text)
                self.assertIn(endpoint, text)

    def test_the_socket_of_a_daemon_that_runs(self):
        with line.Daemon() as first:
            second = line.Daemon(control=first.endpoints["control"])
            try:
                text = self.refused(second)
            finally:
                second.clean()
            self.assertIn("control.bind", text)
            self.assertTrue(first.ask("status")["ok"])

    def test_the_socket_of_a_daemon_that_was_killed(self):
        with line.Daemon() as daemon:
            daemon.kill()
            self.assertTrue(os.path.exists(daemon.endpoints["control"][len("ipc://"):]))
            daemon.start()
            self.assertTrue(daemon.ask("status")["ok"])

    def test_the_store(self):
        with line.Daemon() as first:
            second = line.Daemon()
            try:
                with open(first.config) as file:
                    text = file.read()
                state = f"{first.folder}/state"
                second.write_config(text.replace(first.folder, second.folder).replace(f"{second.folder}/state", state))
                text = self.refused(second)
            finally:
                second.clean()

    @unittest.skipIf(os.geteuid() != 0, "only root can give a folder away")
    def test_a_folder_of_somebody_else(self):
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(f"{folder}/theirs")
            os.chown(f"{folder}/theirs", 65534, 65534)
            daemon = line.Daemon(control=f"ipc://{folder}/theirs/control.sock")
            try:
                text = self.refused(daemon)
            finally:
                daemon.clean()
            self.assertIn("control.bind", text)

    def test_a_folder_that_is_not_there(self):
        daemon = line.Daemon(metrics="ipc:///nonexistent/folder/metrics")
        try:
            text = self.refused(daemon)
        finally:
            daemon.clean()
        self.assertIn("metrics.bind", text)


class Running(unittest.TestCase):
    def test_first_and_last_line(self):
        with line.Daemon(metrics="tcp://127.0.0.1:*", workers="2") as daemon:
            first = daemon.wait_log(lambda said: said["msg"] == "driftd runs")
            self.assertRegex(first["version"], r"^\d+\.\d+\.\d+$")
            self.assertEqual(first["config"], daemon.config)
            self.assertRegex(first["metrics"], r"^tcp://127\.0\.0\.1:[1-9]\d*$")
            self.assertEqual((first["budgets"], first["models_restored"], first["workers"]), (1, 0, 2))
            self.assertEqual(daemon.ask("status")["endpoints"]["metrics"], [first["metrics"]])
            node = daemon.publisher()
            node.send_multipart([b"metrics/p/n/v", line.event(accuracy=0.9)])
            daemon.wait_status(lambda status: status.get("events", 0) == 1)
            self.assertEqual(daemon.stop(), 0)
            last = daemon.events[-1]
            self.assertEqual(last["msg"], "stopped")
            self.assertEqual((last["live_requests"], last["events"], last["dropped"], last["lost"]), (0, 1, 0, 0))
            self.assertFalse(os.path.exists(daemon.endpoints["control"][len("ipc://"):]))

    def test_interrupt_stops_and_hangup_does_not(self):
        with line.Daemon() as daemon:
            daemon.process.send_signal(signal.SIGHUP)
            daemon.wait_log(lambda said: "read again" in said["msg"])
            self.assertTrue(daemon.ask("status")["ok"])
            self.assertEqual(daemon.stop(signal.SIGINT), 0)

    def test_what_was_received_is_judged_before_the_end(self):
        """The stop comes while thousands of events are on their way: each one received counts, in order."""
        for workers in ("0", "2"):
            with line.Daemon(workers=workers) as daemon:
                node = daemon.publisher()
                for i in range(5000):
                    node.send_multipart([b"metrics/p/n/v", line.event(accuracy=0.9, node="a", boot=1, seq=i)])
                daemon.wait_status(lambda status: status["events"] > 0)
                self.assertEqual(daemon.stop(), 0)
                self.assertEqual(daemon.events[-1]["lost"], 0)

    def test_warnings_of_the_start(self):
        with line.Daemon(budgets="", jobs_more="feedback: none") as daemon:
            said = daemon.wait_log(lambda said: said["level"] == "warning" and said["msg"].startswith("jobs.feedback is none"))
            for words in ("counts as delivered once a trainer's connection took it", "at most once", "a trainer that dies with it loses it",
                          "nobody hears how it went", "`required` keeps each until it is done"):
                self.assertIn(words, said["msg"])
            warned = daemon.wait_log(lambda said: said["level"] == "warning" and "none is judged" in said["msg"])
            self.assertEqual(daemon.ask("reload")["warnings"], [warned["msg"]])
            node = daemon.publisher()
            node.send_multipart([b"metrics/p/n/v", line.event(accuracy=0.1)])
            daemon.wait_status(lambda status: status["models"] == {"healthy": 1})

    def test_feedback_that_is_required_is_no_warning(self):
        with line.Daemon() as daemon:
            daemon.stop()
            self.assertEqual([said["msg"] for said in daemon.events if "jobs.feedback" in said["msg"]], [])

    def test_without_a_journal_lines_are_json(self):
        with line.Daemon() as daemon:
            daemon.stop()
            for text in daemon.lines:
                self.assertIn("msg", json.loads(text))


class ServiceManager(unittest.TestCase):
    def test_it_is_told(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "notify")
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
                manager.bind(path)
                manager.settimeout(line.PATIENCE_S)
                daemon = line.Daemon()
                try:
                    daemon.start({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "4000000"})
                    said = [manager.recv(4096).decode()]
                    while "WATCHDOG=1" not in said:
                        said.append(manager.recv(4096).decode())
                    self.assertEqual(said[0], "READY=1")
                    # A stopped daemon says nothing; it goes on where it was.
                    while not any(text.startswith("STATUS=") for text in said):
                        said.append(manager.recv(4096).decode())
                    self.assertEqual(daemon.stop(), 0)
                    while said[-1] != "STOPPING=1":
                        said.append(manager.recv(4096).decode())
                finally:
                    daemon.clean()

    def test_one_station_that_hangs_silences_the_watchdog(self):
        """Each station in turn is stopped (the process goes on): no WATCHDOG=1 follows, and the log names it."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "notify")
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
                manager.bind(path)
                manager.settimeout(line.PATIENCE_S)
                daemon = line.Daemon(workers="1")
                try:
                    daemon.start({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "4000000"})
                    for station, thread in (("ingest", "ingest"), ("worker", "worker-0")):
                        seen = len(daemon.events)
                        with stopped_thread(self, daemon.process.pid, thread):
                            daemon.wait_log(lambda said: said.get("station") == station)
                            manager.setblocking(False)
                            with self.assertRaises(BlockingIOError):
                                while True:
                                    manager.recv(4096)  # what was said before
                            manager.settimeout(2.0)
                            with self.assertRaises(TimeoutError):
                                while manager.recv(4096) != b"WATCHDOG=1":
                                    pass
                        manager.settimeout(line.PATIENCE_S)
                        while manager.recv(4096) != b"WATCHDOG=1":
                            pass
                        self.assertGreater(len(daemon.events), seen)
                    self.assertEqual(daemon.stop(), 0)
                finally:
                    daemon.clean()


@contextlib.contextmanager
def stopped_thread(test, process, name):
    """Stops one thread of a process, as a debugger does, and lets it go on in the end."""
    seize, interrupt, detach = 0x4206, 0x4207, 17
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long
    thread = None
    for task in os.listdir(f"/proc/{process}/task"):
        with open(f"/proc/{process}/task/{task}/comm") as file:
            if file.read().strip() == name:
                thread = int(task)
    if libc.ptrace(seize, thread, None, None) != 0:
        test.skipTest("ptrace(2) is not permitted here")
    libc.ptrace(interrupt, thread, None, None)
    os.waitpid(thread, 0x40000000)  # __WALL
    try:
        yield
    finally:
        libc.ptrace(detach, thread, None, None)


if __name__ == "__main__":
    unittest.main()
