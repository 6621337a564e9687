"""The status page in headless Chromium, against the real daemon with ten thousand models: what a person would see and do.

Starts the daemon, publishes, and hands over to look.mjs, which drives the browser and says what it saw, line by line.
"""
import json
import os
import subprocess
import sys
import threading
import unittest

import msgpack
import zmq

import line

MODELS = 10000
BAD = "visutility/object-detector/v1"
NASTY = "visutility/<img src=x onerror=alert(1)>/v\"1"
BUDGETS = """
budgets:
  - models: "*"
    window: 16
    min_events: 1
    backoff: 1h
    kpis: {accuracy: {min: 0.90, over: mean}, latency_ms: {max: 250, over: last}}
  - models: visutility/object-detector
    drift: [{metric: accuracy, detector: cusum, mean: 0.95, sd: 0.01}]
"""
LOOK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "look.mjs")


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = line.Daemon(http="127.0.0.1:0", budgets=BUDGETS, metrics_more="queue: 100000").__enter__()
        cls.addClassCleanup(cls.daemon.clean)
        cls.node = cls.daemon.publisher()
        cls.addClassCleanup(cls.node.close)
        cls.names = [f"fleet{i % 7}/model-{i:05}/v1" for i in range(MODELS - 2)] + [BAD, NASTY]
        cls.publish(cls.names, accuracy=0.95, latency_ms=120)
        cls.daemon.wait_status(lambda status: status["events"] >= MODELS)
        for _ in range(3):
            cls.publish([BAD], accuracy=0.5, latency_ms=120)
        cls.publish(cls.names[:3], accuracy=0.5, latency_ms=999)
        cls.node.send_multipart([b"metrics/a/b/c", b'{"accuracy": 7}'])
        cls.daemon.wait_status(lambda status: status["requests"]["PENDING"] == 1 and status["dropped"])

    @classmethod
    def publish(cls, names, **values):
        for start in range(0, len(names), 64):
            events = [{"model": name, **values} for name in names[start:start + 64]]
            cls.node.send_multipart([b"batch/edge", msgpack.packb(events)])

    def test_what_a_person_sees_and_does(self):
        stop = threading.Event()

        def load():
            """Events go on coming while the page is looked at; the pace is that of the clock, the test waits for none of them."""
            at = 0
            while not stop.wait(0.02):
                self.publish(self.names[at:at + 64], accuracy=0.95, latency_ms=130)
                at = (at + 64) % (MODELS - 100)

        thread = threading.Thread(target=load)
        thread.start()
        try:
            seen = subprocess.run(["node", LOOK, f"http://{self.daemon.http}", BAD, NASTY], capture_output=True, text=True,
                                  timeout=300, env={**os.environ, "PLAYWRIGHT": os.path.abspath(os.environ["PLAYWRIGHT"])})
        finally:
            stop.set()
            thread.join()
        sys.stdout.write(seen.stdout)
        self.assertEqual(seen.returncode, 0, seen.stderr[-3000:])
        self.assertEqual(json.loads(seen.stdout.splitlines()[-1]), {"errors": [], "elsewhere": []})


class Reload(unittest.TestCase):
    def test_a_reload_that_failed(self):
        """The banner has every mistake and what to do, and goes when the file is mended and read again."""
        with line.Daemon(http="127.0.0.1:0", jobs_more="lease: 5m") as daemon:
            with open(daemon.config) as file:
                good = file.read()
            daemon.write_config(good.replace("lease: 5m", "leese: 5m").replace("window: 4", "window: 0"))
            self.assertEqual(daemon.ask("reload")["error"], "configuration")
            look = subprocess.Popen(["node", os.path.join(os.path.dirname(LOOK), "reload.mjs"), f"http://{daemon.http}"], text=True,
                                    stdout=subprocess.PIPE, env={**os.environ, "PLAYWRIGHT": os.path.abspath(os.environ["PLAYWRIGHT"])})
            self.addCleanup(look.stdout.close)
            self.addCleanup(look.kill)
            seen = look.stdout.readline()
            self.assertIn("The configuration before it stays in force. Mend the file, then: driftc reload", seen)
            self.assertIn("jobs.leese: unknown key; did you mean lease?", seen)
            self.assertIn("budgets[].window: 0 is out of range", seen)
            daemon.write_config(good)
            self.assertTrue(daemon.ask("reload")["ok"])
            self.assertEqual(look.stdout.readline(), "gone\n")
            self.assertEqual(look.wait(line.PATIENCE_S), 0)


if __name__ == "__main__":
    unittest.main()
