"""kill -9 at every failpoint, with trainers that die as well: the checker finds no violation of any invariant.

ROUNDS says how often at each point (1), POINTS which (a pattern, all), SEED what chance does. Needs the build of `make
fault`. A round is one life of the daemon: it is started with a failpoint set to a count by chance, works under load, and is
killed when the count is reached; points of an orderly end are reached by SIGTERM.
"""
import fnmatch
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "line"))
import zmq  # noqa: E402

import line  # noqa: E402

ROUNDS = int(os.environ.get("ROUNDS", "1"))
SEED = int(os.environ.get("SEED", "1"))
LEASE_S = 0.4
ATTEMPTS = 6
BATCH = 60  # rounds with one store

# name: the largest count that is drawn
START = {"before_tidy": 1, "after_tidy": 1, "schema_made": 1, "mark_left": 1, "log_begun": 1, "restart_committed": 1}
RUN = {"before_begin": 30, "before_row": 200, "before_commit": 30, "after_commit": 30, "turn_decided": 60,
       "turn_committed": 60, "turn_acted": 60, "before_send": 12, "after_send": 12, "before_reply": 30, "after_reply": 30,
       "disk_write": 80, "disk_half_written": 60, "disk_sync": 30, "disk_synced": 30}
STOP = {"before_close": 1, "mark_away": 1, "closed": 1, "disk_delete": 1}
STRATEGIES = ("{a: {gpu_hours: 1}, b: {gpu_hours: 2}}", "{b: {gpu_hours: 2}, c: {gpu_hours: 3}}")  # they come and go between lives
TRAINERS = 3
MODELS = 40


class Fleet:
    """Trainers as processes of their own, killed by chance and started anew under the same name."""

    def __init__(self, daemon, folder, source):
        self.daemon, self.folder, self.source, self.processes, self.kills = daemon, folder, source, {}, 0

    def logs(self):
        return [os.path.join(self.folder, name) for name in sorted(os.listdir(self.folder)) if name.endswith(".log")]

    def start(self, name):
        log = os.path.join(self.folder, name + ".log")
        self.processes[name] = subprocess.Popen(
            ["/usr/bin/python3", os.path.join(HERE, "trainer.py"), self.daemon.endpoints["jobs"],
             self.daemon.endpoints["feedback"], log, name, str(self.source.randrange(1 << 30)), str(LEASE_S)])

    def kill(self, name):
        self.processes[name].kill()
        self.processes[name].wait()

    def kill_one(self):
        name = self.source.choice(sorted(self.processes))
        self.kill(name)
        self.kills += 1
        self.start(name)

    def end(self):
        for name in self.processes:
            self.kill(name)


class Feeder(threading.Thread):
    """Models that fail all the time."""

    def __init__(self, context, endpoint):
        super().__init__(daemon=True)
        self.socket = context.socket(zmq.PUB)
        self.socket.linger = 0
        self.socket.reconnect_ivl = 10
        self.socket.connect(endpoint)
        self.over = threading.Event()

    def run(self):
        number = 0
        while not self.over.wait(0.002):
            for _ in range(3):
                number = (number + 1) % MODELS
                self.socket.send_multipart([b"metrics/fault/m%d/v1" % number, line.event(accuracy=0.5)])
        self.socket.close()


class Kill(unittest.TestCase):
    def daemon(self):
        jobs_more = (f"accept_within: 300ms, lease: {LEASE_S * 1000:.0f}ms, attempts: {ATTEMPTS}, "
                     "retry: {first: 20ms, max: 60ms}")
        more = (f"retraining: {{strategies: {STRATEGIES[0]}, choose: round_robin, "
                "give_up_after: 1000000, limits: {concurrent: 20, per_model_per_day: none, per_day: none, "
                "gpu_hours_per_day: none}}")
        return line.Daemon(jobs_more=jobs_more, backoff="50ms", more=more)

    @staticmethod
    def configure(daemon, number):
        with open(daemon.config, encoding="utf-8") as file:
            text = file.read()
        with open(daemon.config, "w", encoding="utf-8") as file:
            file.write(text.replace(STRATEGIES[1 - number % 2], STRATEGIES[number % 2]))

    def life(self, daemon, point, count, stop):
        """One life of the daemon; whether it ended at the point."""
        began = time.time()
        try:
            return self.live(daemon, point, count, stop)
        finally:
            with open(os.path.join(daemon.folder, "lives"), "a", encoding="utf-8") as lives:
                lives.write(json.dumps({"began": began, "ended": time.time()}) + "\n")

    def live(self, daemon, point, count, stop):
        log = os.path.join(daemon.folder, "log")
        with open(log, "wb") as stderr:
            process = subprocess.Popen([line.DRIFTD, "--config", daemon.config], stderr=stderr, stdin=subprocess.DEVNULL,
                                       env={**os.environ, "DRIFT_FAILPOINT": f"{point}:{count}"})
        try:
            status = process.wait(0.25 if stop else 6)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGTERM if stop else signal.SIGKILL)
            try:
                status = process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise
        if not stop and status != -signal.SIGKILL:
            with open(log, encoding="utf-8") as text:
                raise AssertionError(f"{point}:{count}: the daemon ended with {status}\n" + "".join(text.readlines()[-5:]))
        return status == -signal.SIGKILL

    def check(self, daemon, store, logs, earlier=None):
        command = ["/usr/bin/python3", os.path.join(HERE, "invariants.py"), "--attempts", str(ATTEMPTS), "--lease", str(LEASE_S),
                   "--slack", "10", "--lives", os.path.join(daemon.folder, "lives"), store, *([earlier] if earlier else []), "--trainers", *logs]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout[-4000:] + done.stderr)
        return done.stdout.splitlines()[-1]

    def copy(self, state, to):
        os.makedirs(to, exist_ok=True)
        for name in ("requests.db", "requests.db-wal"):
            if os.path.exists(os.path.join(state, name)):
                shutil.copy(os.path.join(state, name), os.path.join(to, name))
            elif os.path.exists(os.path.join(to, name)):
                os.unlink(os.path.join(to, name))
        return os.path.join(to, "requests.db")

    def batch(self, lives, source):
        """A store of its own; the checker looks at it every few lives, and at the end."""
        ended = 0
        with tempfile.TemporaryDirectory() as folder, self.daemon() as daemon:
            daemon.kill()
            state = os.path.join(daemon.folder, "state")
            fleet = Fleet(daemon, folder, source)
            feeder = Feeder(daemon.context, daemon.endpoints["metrics"])
            feeder.start()
            earlier = None
            try:
                for number in range(TRAINERS):
                    fleet.start(f"t{number}")
                for number, (point, most) in enumerate(lives):
                    self.configure(daemon, number)
                    ended += self.life(daemon, point, source.randint(1, most), point in STOP)
                    if number % 6 == 0:
                        fleet.kill_one()
                    if number % 10 == 9:
                        now = self.copy(state, os.path.join(folder, f"store{number}"))
                        self.check(daemon, now, fleet.logs(), earlier)
                        earlier = now
            finally:
                feeder.over.set()
                feeder.join()
                fleet.end()
            daemon.start()
            self.assertEqual(daemon.stop(), 0)
            return ended, fleet.kills, self.check(daemon, os.path.join(state, "requests.db"), fleet.logs(), earlier)

    def test_kill_at_every_point(self):
        with open(line.DRIFTD, "rb") as file:
            if b"disk_half_written" not in file.read():
                self.skipTest("needs the build of `make fault`")
        source = random.Random(SEED)
        pattern = os.environ.get("POINTS", "*")
        points = [(name, most) for name, most in {**START, **RUN, **STOP}.items() if fnmatch.fnmatch(name, pattern)]
        lives = [life for life in points for _ in range(ROUNDS)]
        source.shuffle(lives)
        ended = kills = 0
        for at in range(0, len(lives), BATCH):
            now, trainers, verdict = self.batch(lives[at:at + BATCH], source)
            ended, kills = ended + now, kills + trainers
            print(f"{min(at + BATCH, len(lives))} of {len(lives)} lives: {ended} ended at their point, {kills} trainers killed; "
                  f"this store: {verdict}", file=sys.stderr, flush=True)
        self.assertGreater(ended, len(lives) * 0.6, "the points are hardly reached")


if __name__ == "__main__":
    unittest.main()
