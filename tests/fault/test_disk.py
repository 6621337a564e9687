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
                return event["data"]["message"]
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

    def words(self, daemon, entry, *parts):
        """A line of the log tells the file, what is safe and what to do."""
        self.assertEqual(entry["file"], os.path.join(daemon.folder, "state", "requests.db"))
        said(f"{entry['level']}: {entry['msg']} file={entry['file'].replace(daemon.folder, '')} why={entry.get('why')}")
        for part in parts:
            self.assertIn(part, entry["msg"] + " " + entry.get("why", ""))

    def heals(self, daemon, cause, fill, empty):
        """Detection goes on, nothing is offered, an alarm is raised; with room again all of it is made good."""
        observer, node = self.observer(daemon), daemon.publisher()
        jobs = daemon.socket(zmq.PULL, "jobs")
        fill()
        self.sicken(node, *(f"full/m{number}/v1" for number in range(200)))
        message = self.alarm(observer, "store_full", True)
        self.words(daemon, daemon.wait_log(lambda entry: entry.get("alarm") == "store_full"), "there is no room", cause,
                   "what was kept is safe", "drift is still watched", "make room on the disk of this file", "goes on by itself")
        self.assertIn(os.path.join(daemon.folder, "state", "requests.db"), message)
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
        self.words(daemon, daemon.wait_log(lambda entry: entry["msg"].startswith("requests can be kept again")),
                   "what waited is kept now", "leases begin anew")
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
            self.heals(daemon, "the disk is full", lambda: self.give(order, "full"), lambda: self.give(order, ""))

    def test_file_size_limit(self):
        with line.Daemon(more=LIMITS, backoff="1h") as daemon:
            log = os.path.join(daemon.folder, "state", "requests.db-wal")

            def limit(most):
                resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
            self.heals(daemon, "the limit on a file's size is reached", lambda: limit(os.path.getsize(log) + 8192),
                       lambda: limit(resource.RLIM_INFINITY))

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

    def ends(self, order_word, cause):
        """The daemon ends for systemd to start it again, and nothing that was committed is lost."""
        with line.Daemon(more=LIMITS, backoff="1h") as daemon:
            order, node = self.ordered(daemon), daemon.publisher()
            self.sicken(node, "sync/before/v1")
            daemon.wait_status(lambda status: status["requests"]["PENDING"] == 1)
            monitors = os.path.join(daemon.folder, "state", "monitors")
            before = sorted(os.listdir(monitors))
            self.give(order, order_word)
            self.sicken(node, "sync/after/v1")
            self.assertEqual(daemon.process.wait(line.PATIENCE_S), 74)
            # Monitors that go on behind what the store could not keep would never ask for it again.
            self.assertEqual(sorted(os.listdir(monitors)), before)
            daemon.wait_log(lambda entry: entry["msg"].startswith("stopped"))
            errors = [entry for entry in daemon.events if entry.get("level") == "error"]
            self.words(daemon, errors[0], cause, "what was answered is safe on the disk", "what was under way was told to nobody",
                       "look at the disk (dmesg)", "to be started again")
            said(errors[1]["msg"])
            self.assertIn("as the line before says", errors[1]["msg"])
            self.assertEqual((len(errors), errors[1]["exit_status"]), (2, 74))
            self.give(order, "")
            daemon.start()
            # The first is there. The commit that failed told nobody; whether it reached the disk nobody knows, and both hold.
            self.assertIn(daemon.ask("status")["requests"]["PENDING"], (1, 2))
            self.assertEqual(daemon.stop(), 0)
            self.checked(daemon)

    def test_failing_sync(self):
        self.ends("sync", "a sync failed")

    def test_failing_write(self):
        self.ends("write", "a write failed")

    # -- stores that a start refuses --

    def refused(self, daemon, status, *parts, command=(), driftd=line.DRIFTD, safe="nothing was changed", to_do="put back a copy"):
        """The start ends with one line: the file, what is safe, what to do."""
        done = subprocess.run([*command, driftd, "--config", daemon.config], capture_output=True, text=True,
                              timeout=line.PATIENCE_S, check=False)
        self.assertEqual(done.returncode, status, done.stderr)
        words = json.loads(done.stderr.splitlines()[-1])["msg"]
        said(f"{status}: {words.replace(daemon.folder, '')}")
        self.assertTrue(words.startswith(os.path.join(daemon.folder, "state", "requests.db")), words)
        for part in (*parts, safe, to_do):
            self.assertIn(part, words)

    def mounted(self, daemon, state, mount, *parts, **words):
        """The start is refused in a mount namespace of its own."""
        command = ("unshare", "-m", "sh", "-c", mount.format(state) + ' && exec "$0" "$@"')
        if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
            if os.path.isdir(state + ".full"):
                os.rmdir(state + ".full")
            self.refused(daemon, 74, *parts, command=command, **words)
        else:
            said("nothing can be mounted here: left out")

    def test_stores_that_are_refused(self):
        with line.Daemon(more=LIMITS, backoff="1h") as daemon:
            node = daemon.publisher()
            self.sicken(node, *(f"kept/m{number}/v1" for number in range(40)))
            daemon.wait_status(lambda status: status["requests"]["PENDING"] == 40)
            state = os.path.join(daemon.folder, "state")
            store, kept = os.path.join(state, "requests.db"), os.path.join(daemon.folder, "kept")
            other = os.path.join(daemon.folder, "other.yaml")
            with open(daemon.config) as config, open(other, "w") as file:
                text = config.read().replace(daemon.endpoints["metrics"], line.plain_tcp())
                for name in ("jobs", "feedback", "events", "control"):
                    text = text.replace(f"{daemon.folder}/{name}]", f"{daemon.folder}/{name}2]")
                file.write(text.replace(f"{daemon.folder}/control}}", f"{daemon.folder}/control2}}"))
            done = subprocess.run([line.DRIFTD, "--config", other], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 69, done.stderr)
            said("69: " + json.loads(done.stderr.splitlines()[-1])["msg"].replace(daemon.folder, ""))
            for part in (store, "locked by another process", "nothing was changed", "stop the other driftd"):
                self.assertIn(part, done.stderr)
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
            self.refused(daemon, 74, "missing or empty", to_do="put it back, or remove")
            again()
            spoil(store, 0, b"A text, no store at all")
            self.refused(daemon, 74, "no store of driftd", to_do="move it away")
            again()
            daemon.start()
            self.assertEqual(daemon.ask("status")["requests"]["PENDING"], 40)
            self.assertEqual(daemon.stop(), 0)
            self.checked(daemon)
            shutil.rmtree(kept)
            shutil.copytree(state, kept)
            db = sqlite3.connect(store)
            (root,), = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'requests'")
            db.close()
            spoil(store, 4096 * (root - 1) + 8, b"\xff" * 4000)
            self.refused(daemon, 74, "is damaged")
            again()
            db = sqlite3.connect(store)
            db.execute("PRAGMA user_version = 1000")
            db.close()
            self.refused(daemon, 74, "newer driftd", to_do="install that one")
            again()
            db = sqlite3.connect(store)
            db.execute("PRAGMA application_id = 5")
            db.close()
            self.refused(daemon, 74, "belongs to another program", to_do="move it away")
            again()
            os.truncate(store, 0)
            self.refused(daemon, 74, "missing or empty", to_do="put it back, or remove")
            again()
            self.mounted(daemon, state, 'mount --bind "{0}" "{0}" && mount -o remount,ro,bind "{0}"', "its file system is read-only",
                         safe="what it holds is safe", to_do="mount it for writing")
            self.mounted(daemon, state, 'mkdir "{0}.full" && mount -t tmpfs -o size=1m none "{0}.full" && cp -a "{0}/." "{0}.full" && '
                         'mount --move "{0}.full" "{0}" && ! cat /dev/zero >"{0}/filler" 2>/dev/null',
                         "there is no room (the disk is full", safe="what it holds is safe", to_do="make room on the disk")
            if os.geteuid() == 0:
                shutil.chown(daemon.folder, "nobody")
                self.refused(daemon, 74, "cannot be opened for writing", to_do="give this user the folder and the file",
                             command=("setpriv", "--reuid=nobody", "--clear-groups"),
                             driftd=shutil.copy(line.DRIFTD, daemon.folder))  # where it was built may be closed to others
                shutil.chown(daemon.folder, "root")
            again()
            daemon.start()
            self.assertEqual(daemon.ask("status")["requests"]["PENDING"], 40)


if __name__ == "__main__":
    unittest.main()
