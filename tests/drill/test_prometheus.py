"""A drill: a real Prometheus scrapes the real daemon, things go wrong, and the alerts fire that shall wake somebody; then every
query of the dashboard is put to that Prometheus and has an answer.

Run by `make drill`; needs Debian's package prometheus. The rules are those that are shipped, in quicker time: each duration
is a sixtieth, so that five minutes are five seconds. Nothing here sleeps for a time: an alert is waited for until it fires.
"""
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "line"))
import zmq  # noqa: E402

import line  # noqa: E402

BUDGETS = """
budgets:
  - {models: shop/named/v1, window: 4, min_events: 1, consecutive_failures: 3, backoff: 1h, kpis: {accuracy: {min: 0.8, over: mean}, latency_ms: {max: 400}}}
  - {models: shop/silent/v1, stale_after: 2s, min_events: 1, kpis: {accuracy: {min: 0.8}}}
  - {models: "*", window: 4, min_events: 1, consecutive_failures: 3, backoff: 1h, kpis: {accuracy: {min: 0.8, over: mean}}}
"""
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
PATIENCE_S = 120


def read(path):
    with open(os.path.join(line.ROOT, path), encoding="utf-8") as file:
        return file.read()


def hurried(rules):
    """The rules with a minute made a second."""
    def sixtieth(found):
        return f"{found[1]}{max(int(found[2]) * UNITS[found[3]] * 1000 // 60, 1)}ms"
    rules = re.sub(r"(for: )(\d+)([smhd])$", sixtieth, rules, flags=re.M)
    rules = re.sub(r"(\[)(\d+)([smhd])(?=\])", sixtieth, rules)
    return re.sub(r"(driftd_trainer_wait_seconds > )300", r"\g<1>5", rules)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Prometheus:
    def __init__(self, target):
        self.folder = tempfile.mkdtemp(prefix="driftd-drill.")
        self.address = f"127.0.0.1:{free_port()}"
        with open(os.path.join(self.folder, "rules.yml"), "w") as file:
            file.write(hurried(read("conf/prometheus/driftd.rules.yml")))
        with open(os.path.join(self.folder, "prometheus.yml"), "w") as file:
            json.dump({"global": {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"},
                       "rule_files": ["rules.yml"],
                       "scrape_configs": [{"job_name": "driftd", "static_configs": [{"targets": [target]}]}]}, file)
        self.log = open(os.path.join(self.folder, "log"), "w+")
        self.process = subprocess.Popen(["prometheus", "--config.file", "prometheus.yml", "--storage.tsdb.path", "data",
                                         "--web.listen-address", self.address], cwd=self.folder, stdout=self.log, stderr=self.log)
        self.until(lambda: self.query("up"), "Prometheus scrapes")

    def get(self, path, **arguments):
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(arguments)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def query(self, expression):
        return self.get("query", query=expression)["result"]

    def until(self, holds, what):
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                found = holds()
            except OSError:
                found = None
            if found:
                return found
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.log.seek(0)
                raise AssertionError(f"not so: {what}\n" + "".join(self.log.readlines()[-5:]))
            threading.Event().wait(0.1)

    def firing(self, name):
        return [alert for alert in self.get("alerts")["alerts"]
                if alert["labels"]["alertname"] == name and alert["state"] == "firing"]

    def fires(self, name):
        alert = self.until(lambda: self.firing(name), f"{name} fires")[0]
        print(f"      {name}: {alert['annotations']['summary']}", file=sys.stderr, flush=True)
        return alert

    def falls_silent(self, name):
        self.until(lambda: not self.firing(name), f"{name} ends")

    def close(self):
        self.process.terminate()
        self.process.wait(60)
        self.log.close()
        shutil.rmtree(self.folder)


class Traffic:
    """Healthy events of some models by three nodes until told otherwise. One skips numbers when it is told to lose."""

    def __init__(self, publisher):
        self.publisher, self.ended = publisher, threading.Event()
        self.silent, self.sick, self.losing, self.broken = (threading.Event() for _ in range(4))
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        numbers = [0, 0, 0]
        while not self.ended.wait(0.02):
            models = ["shop/named/v1", "farm/m1/v1"] + ([] if self.silent.is_set() else ["shop/silent/v1"])
            for node, model in enumerate(models):
                accuracy = 0.5 if self.sick.is_set() and model == "shop/named/v1" else 0.95
                numbers[node] += 2 if self.losing.is_set() and node == 1 else 1
                self.send(model, node=f"node-{node}", boot="b", seq=numbers[node], accuracy=accuracy, latency_ms=20)
            if self.broken.is_set():
                self.send("farm/m1/v1", accuracy="none")

    def send(self, model, **members):
        self.publisher.send_multipart([b"metrics/" + model.encode(), line.event(**members)])

    def end(self):
        self.ended.set()
        self.thread.join()


@unittest.skipUnless(shutil.which("prometheus"), "there is no prometheus (Debian's package prometheus)")
class Drill(unittest.TestCase):
    def setUp(self):
        self.daemon = line.Daemon(http="127.0.0.1:0", budgets=BUDGETS)
        self.addCleanup(self.daemon.clean)
        self.room = self.small_disk()
        self.daemon.start()
        self.target = self.daemon.http.split()[0]
        self.traffic = Traffic(self.daemon.publisher())
        self.addCleanup(self.traffic.end)
        self.prometheus = Prometheus(self.target)
        self.addCleanup(self.prometheus.close)

    def small_disk(self):
        """A disk of its own for the state, which can be filled; None where that takes rights that we do not have."""
        state = os.path.join(self.daemon.folder, "state")
        if os.getuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8M", "driftd-drill", state], check=False).returncode:
            return None
        self.addCleanup(subprocess.run, ["umount", state], check=False)
        return state

    def test_alerts_fire_and_the_dashboard_shows_data(self):
        self.prometheus.until(lambda: self.prometheus.query("driftd_models > 0"), "models are known")
        self.assertEqual(self.prometheus.get("alerts")["alerts"], [])
        self.a_drift()
        self.a_lost_node()
        self.what_is_lost_and_dropped()
        self.a_trainer_that_talks_nonsense()
        self.a_failed_reload()
        self.a_full_disk()
        self.the_dashboard()
        self.the_end()

    def a_drift(self):
        self.traffic.sick.set()
        self.prometheus.fires("DriftdModelsDrifting")
        self.prometheus.fires("DriftdNoTrainer")

    def a_lost_node(self):
        self.traffic.silent.set()
        self.prometheus.fires("DriftdModelsSilent")
        self.traffic.silent.clear()
        self.prometheus.falls_silent("DriftdModelsSilent")

    def what_is_lost_and_dropped(self):
        self.traffic.losing.set()
        self.traffic.broken.set()
        self.assertEqual(self.prometheus.fires("DriftdMessagesLost")["labels"]["node"], "node-1")
        self.assertEqual(self.prometheus.fires("DriftdEventsDropped")["labels"]["reason"], "type")

    def a_trainer_that_talks_nonsense(self):
        with self.daemon.socket(zmq.REQ, "feedback") as trainer:
            trainer.send(b"{}")
            self.assertEqual(json.loads(line.receive(trainer))["error"], "bad_message")
            self.assertEqual(self.prometheus.fires("DriftdFeedbackRefused")["labels"]["error"], "bad_message")

    def a_failed_reload(self):
        with open(self.daemon.config) as file:
            text = file.read()
        self.daemon.write_config(text.replace("min_events", "min_event"))
        self.assertIn("error", self.daemon.ask("reload"))
        self.prometheus.fires("DriftdReloadFailed")
        self.daemon.write_config(text)
        self.assertNotIn("error", self.daemon.ask("reload"))
        self.prometheus.falls_silent("DriftdReloadFailed")

    def a_full_disk(self):
        if self.room is None:
            print("      a full disk: skipped: it takes root to mount one", file=sys.stderr)
            return
        filler = os.path.join(self.room, "filler")
        try:
            with open(filler, "wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
        except OSError:
            pass
        number = 0
        while not self.daemon.ask("status")["store_full"]:
            for _ in range(3):
                self.traffic.send(f"full/m{number}/v1", accuracy=0.1)
            number += 1
        self.prometheus.fires("DriftdStoreFull")
        os.remove(filler)
        self.prometheus.falls_silent("DriftdStoreFull")

    def the_dashboard(self):
        """With a trainer at work and one observer, each query has something to show."""
        jobs = self.daemon.socket(zmq.PULL, "jobs")
        job = json.loads(line.receive(jobs))["data"]
        self.addCleanup(jobs.close)
        self.assertTrue(job)
        observer = self.daemon.socket(zmq.SUB, "events")
        self.addCleanup(observer.close)
        observer.subscribe(b"")
        queries = [target["expr"] for panel in json.loads(read("conf/grafana/driftd.json"))["panels"] for target in panel["targets"]]
        self.assertGreater(len(queries), 20)
        for query in queries:
            for name, value in (("$job", ".*"), ("$instance", ".*"), ("$model", ".*"), ("$kpi", ".*"), ("$__rate_interval", "4s")):
                query = query.replace(name, value)
            self.assertNotIn("$", query)
            self.prometheus.until(lambda: self.prometheus.query(query), f"an answer to {query}")
        print(f"      {len(queries)} queries of the dashboard have data", file=sys.stderr)

    def the_end(self):
        self.traffic.end()
        self.prometheus.fires("DriftdNoEvents")
        self.daemon.kill()
        self.prometheus.fires("DriftdDown")


if __name__ == "__main__":
    unittest.main()
