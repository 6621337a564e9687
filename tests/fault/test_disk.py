"""What a user sees when the disk does not do what it should, word for word, and the store afterwards.

Needs the build of `make fault`, whose disk fails on order (DRIFT_DISK); the other faults are the real thing.
"""
import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "line"))
import zmq  # noqa: E402

import line  # noqa: E402

LIMITS = "retraining: {limits: {concurrent: 1000, per_day: none, gpu_hours_per_day: none}}"


def said(words):
    print("      " + words, file=sys.stderr, flush=True)


class Disk(unittest.TestCase):
    def sicken(self, node, *models):
        for model in models:
            for _ in range(3):
                node.send_multipart([b"metrics/" + model.encode(), line.event(accuracy=0.5)])

    def alarm(self, observer, kind, raised):
        while True:
            event = json.loads(line.receive_parts(observer)[1])
            if event["type"] == "driftd.alarm" and event["data"]["alarm"] == kind and event["data"]["raised"] == raised:
                said(f"alarm {kind}, raised {raised}: {event['data']['message']}")
                return
            if event["data"].get("alarm") == "store_failed":
                raise AssertionError(event)

    def observer(self, daemon):
        """An observer that has been heard: its subscription is there when the first event is."""
        observer = daemon.socket(zmq.SUB, "events")
        observer.subscribe(b"")
        node = daemon.publisher()
        while not observer.poll(20):
            node.send_multipart([b"metrics/hello/m/v%d" % (time.monotonic_ns()), line.event(accuracy=0.5)])
        return observer

    def checked(self, daemon):
        done = subprocess.run(["/usr/bin/python3", os.path.join(HERE, "invariants.py"),
                               os.path.join(daemon.folder, "state", "requests.db")], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)
        said("the store afterwards: " + done.stdout.splitlines()[-1])

    def heals(self, daemon, fill, empty):
        """Detection goes on, nothing is offered, an alarm is raised; with room again all of it is made good."""
        observer, node = self.observer(daemon), daemon.publisher()
        jobs = daemon.socket(zmq.PULL, "jobs")
        fill()
        self.sicken(node, *(f"full/m{number}/v1" for number in range(200)))
        self.alarm(observer, "store_full", True)
        before = daemon.ask("status")
        self.assertTrue(before["store_full"])
        answer = daemon.ask("retrain", model="full/by/hand")
        self.assertEqual(answer["error"], "unavailable")
        said("retrain is answered: " + answer["message"])
        self.sicken(node, *(f"full/later{number}/v1" for number in range(50)))
        daemon.wait_status(lambda status: status["events"] >= before["events"] + 150)
        while jobs.poll(0):  # of before: nothing was offered without a commit
            self.assertNotIn("full/later", jobs.recv().decode())
        empty()
        self.alarm(observer, "store_full", False)
        daemon.wait_status(lambda status: sum(status["requests"].values()) >= 250)
        got = set()
        while len(got) < 50:
            subject = json.loads(line.receive(jobs))["subject"]
            if subject.startswith("full/later"):
                got.add(subject)
        self.assertEqual(daemon.stop(), 0)
        self.checked(daemon)

    def test_full_disk(self):
        with line.Daemon(more=LIMITS, backoff="1h") as daemon:
            order = self.ordered(daemon)
            self.heals(daemon, lambda: self.give(order, "full"), lambda: self.give(order, ""))

    def test_file_size_limit(self):
        with line.Daemon(more=LIMITS, backoff="1h") as daemon:
            log = os.path.join(daemon.folder, "state", "requests.db-wal")

            def limit(most):
                resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
            self.heals(daemon, lambda: limit(os.path.getsize(log) + 8192), lambda: limit(resource.RLIM_INFINITY))

    def give(self, order, what):
        with open(order + ".new", "w") as file:
            file.write(what)
        os.rename(order + ".new", order)

    def ordered(self, daemon):
        with open(line.DRIFTD, "rb") as file:
            if b"DRIFT_DISK" not in file.read():
                self.skipTest("needs the build of `make fault`")
        order = os.path.join(daemon.folder, "order")
        self.give(order, "")
        daemon.stop()
        daemon.start({"DRIFT_DISK": order})
        return order

    def ends(self, order_word):
        """The daemon ends for systemd to start it again, and nothing that was committed is lost."""
        with line.Daemon(more=LIMITS, backoff="1h") as daemon:
            order, node = self.ordered(daemon), daemon.publisher()
            self.sicken(node, "sync/before/v1")
            daemon.wait_status(lambda status: status["requests"]["PENDING"] == 1)
            self.give(order, order_word)
            self.sicken(node, "sync/after/v1")
            self.assertEqual(daemon.process.wait(line.PATIENCE_S), 74)
            daemon.wait_log(lambda entry: entry["msg"].startswith("stopped"))
            for entry in daemon.events:
                if entry.get("level") == "error":
                    said(entry["msg"])
            self.give(order, "")
            daemon.start()
            # The first is there. The commit that failed told nobody; whether it reached the disk nobody knows, and both hold.
            self.assertIn(daemon.ask("status")["requests"]["PENDING"], (1, 2))
            self.assertEqual(daemon.stop(), 0)
            self.checked(daemon)

    def test_failing_sync(self):
        self.ends("sync")

    def test_failing_write(self):
        self.ends("write")

    # -- stores that a start refuses --

    def refused(self, daemon, status, *parts, command=()):
        done = subprocess.run([*command, line.DRIFTD, "--config", daemon.config], capture_output=True, text=True,
                              timeout=line.PATIENCE_S, check=False)
        self.assertEqual(done.returncode, status, done.stderr)
        words = json.loads(done.stderr.splitlines()[-1])["msg"]
        said(f"{status}: {words.replace(daemon.folder, '')}")
        for part in parts:
            self.assertIn(part, words)

    def test_stores_that_are_refused(self):
        with line.Daemon(more=LIMITS, backoff="1h") as daemon:
            node = daemon.publisher()
            self.sicken(node, *(f"kept/m{number}/v1" for number in range(40)))
            daemon.wait_status(lambda status: status["requests"]["PENDING"] == 40)
            state = os.path.join(daemon.folder, "state")
            store, kept = os.path.join(state, "requests.db"), os.path.join(daemon.folder, "kept")
            other = os.path.join(daemon.folder, "other.yaml")
            with open(daemon.config) as config, open(other, "w") as file:
                text = config.read()
                for name in ("metrics", "jobs", "feedback", "events", "control"):
                    text = text.replace(f"{daemon.folder}/{name}]", f"{daemon.folder}/{name}2]")
                file.write(text.replace(f"{daemon.folder}/control}}", f"{daemon.folder}/control2}}"))
            done = subprocess.run([line.DRIFTD, "--config", other], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 69, done.stderr)
            said("69: " + json.loads(done.stderr.splitlines()[-1])["msg"].replace(daemon.folder, ""))
            self.assertIn("locked by another process", done.stderr)
            daemon.kill()
            shutil.copytree(state, kept)

            def again():
                shutil.rmtree(state)
                shutil.copytree(kept, state)

            def spoil(path, at, with_what):
                with open(path, "r+b") as file:
                    file.seek(at)
                    file.write(with_what)

            os.unlink(store + "-wal")
            self.refused(daemon, 74, "requests.db-wal is missing")
            again()
            os.truncate(store + "-wal", 0)
            self.refused(daemon, 74, "requests.db-wal is empty")
            again()
            spoil(store + "-wal", 32 + 200, b"damage")
            self.refused(daemon, 74, "requests.db-wal is damaged in its middle")
            again()
            spoil(store + "-wal", 0, b"damage")
            self.refused(daemon, 74, "requests.db-wal is damaged at its head")
            again()
            os.unlink(store)
            self.refused(daemon, 74, "missing or empty")
            again()
            spoil(store, 0, b"A text, no store at all")
            self.refused(daemon, 74, "no store of driftd")
            again()
            daemon.start()
            self.assertEqual(daemon.ask("status")["requests"]["PENDING"], 40)
            self.assertEqual(daemon.stop(), 0)
            self.checked(daemon)
            shutil.rmtree(kept)
            shutil.copytree(state, kept)
            spoil(store, 4096 * 3 + 8, b"\xff" * 4000)
            self.refused(daemon, 74, "is damaged")
            again()
            db = sqlite3.connect(store)
            db.execute("PRAGMA user_version = 1000")
            db.close()
            self.refused(daemon, 74, "newer driftd")
            again()
            db = sqlite3.connect(store)
            db.execute("PRAGMA application_id = 5")
            db.close()
            self.refused(daemon, 74, "belongs to another program")
            again()
            os.truncate(store, 0)
            self.refused(daemon, 74, "missing or empty")
            again()
            read_only = ["unshare", "-m", "sh", "-c", f'mount --bind "{state}" "{state}" && mount -o remount,ro,bind "{state}" && '
                         'exec "$0" "$@"']
            probe = subprocess.run([*read_only, "true"], capture_output=True, check=False)
            if probe.returncode == 0:
                self.refused(daemon, 74, "its file system is read-only", command=read_only)
            else:
                said("a read-only file system cannot be mounted here: left out")
            again()
            daemon.start()
            self.assertEqual(daemon.ask("status")["requests"]["PENDING"], 40)


if __name__ == "__main__":
    unittest.main()
