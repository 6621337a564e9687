"""The line from a node's event to a trainer's job, with trainers that only pull."""
import contextlib
import json
import os
import socket
import sys
import time
import unittest

import msgpack
import zmq

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import line  # noqa: E402

MODEL = "visutility/object-detector/v1.2.3"
BAD = {"accuracy": 0.50, "latency_ms": 800}
GOOD = {"accuracy": 0.95, "latency_ms": 100}


def send(node, model, members, pack=False):
    payload = msgpack.packb(members) if pack else json.dumps(members).encode()
    node.send_multipart([b"metrics/" + model.encode(), payload])


class OneModel(unittest.TestCase):
    def scenario(self, workers, pack):
        with line.Daemon(workers=workers, jobs_more="feedback: none") as daemon:
            trainer = daemon.socket(zmq.PULL, "jobs")
            node = daemon.publisher()
            for _ in range(4):
                send(node, MODEL, BAD, pack)
                time.sleep(0.010)  # the mission's own pace
            job = json.loads(line.receive(trainer))
            daemon.kill()  # before it was sent it was in the store: so it is there after this
            self.assertEqual(job["specversion"], "1.0")
            self.assertEqual(job["type"], "driftd.retraining.requested")
            self.assertEqual(job["subject"], MODEL)
            data = job["data"]
            self.assertEqual(job["id"], f"{data['request']}/1")
            self.assertEqual(data["attempt"], 1)
            self.assertEqual(data["model"], {"project": "visutility", "name": "object-detector", "version": "v1.2.3"})
            self.assertEqual(data["strategy"], "bayesian")  # the cheapest of the defaults
            self.assertIn("3", data["strategy_reason"])
            trigger = data["trigger"]
            self.assertEqual((trigger["metric"], trigger["observed"], trigger["limit"]), ("accuracy", 0.5, 0.8))
            self.assertEqual((trigger["failures"], trigger["window"]), (3, 3))
            self.assertEqual(trigger["rule"], "accuracy mean < 0.8")
            self.assertLess(abs(time.time() - line.seconds(trigger["window_end"])), 60)
            self.assertEqual(data["metrics"]["accuracy"], {"last": 0.5, "mean": 0.5, "n": 3})
            self.assertEqual(data["metrics"]["latency_ms"], {"last": 800, "mean": 800, "n": 3})
            self.assertEqual(data["previous"], [])

            daemon.start()
            request = daemon.ask("request", request=data["request"])
            self.assertEqual(request["model"], MODEL)
            self.assertIn(request["state"], ("DONE", "OFFERED", "PENDING"))
            self.assertEqual(len(daemon.ask("requests")["requests"]), 1)

    def test_with_and_without_workers(self):
        self.scenario("0", False)
        self.scenario("2", True)

    def test_exactly_one_job(self):
        """Four failures: the fourth falls into the back-off. Nothing else is ever sent."""
        with line.Daemon(jobs_more="feedback: none", backoff="1h") as daemon:
            trainer = daemon.socket(zmq.PULL, "jobs")
            node = daemon.publisher()
            for _ in range(4):
                send(node, MODEL, BAD)
            job = json.loads(line.receive(trainer))
            for _ in range(50):
                send(node, MODEL, BAD)
            daemon.wait_status(lambda status: status.get("events", 0) == 54 and status["requests"]["DONE"] == 1)
            self.assertEqual(trainer.poll(0), 0)
            requests = daemon.ask("requests")["requests"]
            self.assertEqual([(r["model"], r["state"]) for r in requests], [(MODEL, "DONE")])
            history = daemon.ask("request", request=job["data"]["request"])["history"]
            self.assertEqual([step["to"] for step in history], ["PENDING", "OFFERED", "DONE"])


class NoTrainers(unittest.TestCase):
    """What connects to jobs and is no PULL of ZMTP 3: a health probe, a peer of ZMTP 1, one of ZMTP 2."""
    SIGNATURE = b"\xff" + bytes(7) + b"\x01\x7f"
    STRANGERS = {"HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "ZMTP 1": b"\x01\x00", "noise": b"\x05hello\x00\x01x",
                 "ZMTP 2": SIGNATURE + b"\x01\x07" + b"\x00\x00"}

    def test_they_take_no_job(self):
        with line.Daemon(jobs=line.plain_tcp(), jobs_more="feedback: none") as daemon:
            host, port = daemon.endpoints["jobs"][len("tcp://"):].rsplit(":", 1)
            node = daemon.publisher()
            for _ in range(4):
                send(node, MODEL, BAD)
            daemon.wait_status(lambda status: status["requests"]["PENDING"] == 1)
            for name, said in self.STRANGERS.items():
                with self.subTest(name), socket.create_connection((host, int(port)), line.PATIENCE_S) as stranger:
                    stranger.sendall(said)
                    heard = b""
                    with contextlib.suppress(ConnectionResetError):
                        while part := stranger.recv(4096):
                            heard += part
                    self.assertNotIn(b"driftd.retraining", heard)
                    self.assertEqual(daemon.ask("status")["requests"]["PENDING"], 1)
            job = json.loads(line.receive(daemon.socket(zmq.PULL, "jobs")))
            self.assertEqual(job["subject"], MODEL)


class ManyModels(unittest.TestCase):
    def test_one_sick_among_a_thousand(self):
        for workers in ("0", "2"):
            with line.Daemon(workers=workers, jobs_more="feedback: none", backoff="1h") as daemon:
                trainer = daemon.socket(zmq.PULL, "jobs")
                node = daemon.publisher()
                for _ in range(6):
                    for i in range(1000):
                        send(node, f"fleet/m{i}/v1", BAD if i == 617 else GOOD)
                status = daemon.wait_status(lambda status: status.get("events", 0) == 6000 and status["requests"]["DONE"] == 1)
                self.assertEqual(sum(status["models"].values()), 1000)
                job = json.loads(line.receive(trainer))
                self.assertEqual(job["subject"], "fleet/m617/v1")
                self.assertEqual(trainer.poll(0), 0)
                self.assertEqual(daemon.stop(), 0)
                self.assertEqual(trainer.poll(0), 0)

    def test_a_healthy_event_clears_the_count(self):
        with line.Daemon(jobs_more="feedback: none") as daemon:
            node = daemon.publisher()
            for _ in range(20):
                send(node, MODEL, {"latency_ms": 800})
                send(node, MODEL, {"latency_ms": 800})
                send(node, MODEL, {"latency_ms": 100})
            daemon.wait_status(lambda status: status.get("events", 0) == 60)
            self.assertEqual(daemon.ask("requests")["requests"], [])
            self.assertEqual(daemon.ask("model", model=MODEL)["failures"], 0)

    def test_back_off(self):
        """In back-off nothing is sent and failures go on being counted; the first failing event after it triggers."""
        with line.Daemon(jobs_more="feedback: none", backoff="2s") as daemon:
            trainer = daemon.socket(zmq.PULL, "jobs")
            node = daemon.publisher()
            for _ in range(3):
                send(node, MODEL, BAD)
            line.receive(trainer)
            for _ in range(10):
                send(node, MODEL, BAD)
            daemon.wait_status(lambda status: status.get("events", 0) == 13)
            model = daemon.ask("model", model=MODEL)
            self.assertEqual(model["failures"], 10)
            self.assertGreater(model["backoff_left_s"], 0)
            self.assertEqual(trainer.poll(0), 0)
            deadline = time.monotonic() + line.PATIENCE_S
            while daemon.ask("model", model=MODEL)["backoff_left_s"] > 0:
                self.assertLess(time.monotonic(), deadline)
                trainer.poll(20)
            send(node, MODEL, BAD)
            job = json.loads(line.receive(trainer))
            self.assertEqual(job["data"]["trigger"]["failures"], 11)

    def test_a_batch_of_many_models(self):
        for workers in ("0", "3"):
            with line.Daemon(workers=workers, jobs_more="feedback: none", backoff="1h") as daemon:
                trainer = daemon.socket(zmq.PULL, "jobs")
                node = daemon.publisher()
                for seq in range(4):
                    batch = [{"model": f"fleet/m{i}/v1", **(BAD if i == 5 else GOOD)} for i in range(100)]
                    batch[0].update(node="edge", boot="b", seq=seq if seq < 3 else 7)
                    node.send_multipart([b"batch/edge", msgpack.packb(batch)])
                status = daemon.wait_status(lambda status: status.get("events", 0) == 400)
                self.assertEqual(status["lost"], {"edge": 4})
                self.assertEqual(json.loads(line.receive(trainer))["subject"], "fleet/m5/v1")


class Observers(unittest.TestCase):
    def test_what_they_see(self):
        with line.Daemon(jobs_more="feedback: none", backoff="1h") as daemon:
            observer = daemon.socket(zmq.SUB, "events")
            observer.subscribe(b"")
            trainer = daemon.socket(zmq.PULL, "jobs")
            node = daemon.publisher()
            # Until the subscription has arrived events pass by: a run of failures that never triggers, again and again.
            for _ in range(2000):
                send(node, "warm/up/v1", {"latency_ms": 800})
                send(node, "warm/up/v1", {"latency_ms": 100})
                if observer.poll(10):
                    break
            for _ in range(3):
                send(node, MODEL, BAD)
            line.receive(trainer)
            for _ in range(20):
                send(node, MODEL, GOOD)
            seen = []
            while "driftd.model.recovered" not in seen:
                topic, body = line.receive_parts(observer)
                event = json.loads(body)
                self.assertEqual(topic.decode(), f"{event['type']}/{event['subject']}")
                if event["subject"] == MODEL:
                    seen.append(event["type"])
            self.assertEqual(seen[0], "driftd.budget.violated")
            self.assertIn("driftd.retraining.requested", seen)
            self.assertIn("driftd.retraining.offered", seen)


class Lost(unittest.TestCase):
    def test_gaps_and_beacons(self):
        with line.Daemon() as daemon:
            node = daemon.publisher()
            for seq in (5, 6, 9):
                send(node, MODEL, {**GOOD, "node": "cam", "boot": "b1", "seq": seq})
            send(node, MODEL, {**GOOD, "node": "cam", "boot": "b2", "seq": 0})
            beacon = {"node": "cam", "boot": "b2", "topics": {MODEL: 3}}
            node.send_multipart([b"beacon/cam", json.dumps(beacon).encode()])
            status = daemon.wait_status(lambda status: status["beacons"] == 1)
            self.assertEqual(status["lost"], {"cam": 2 + 3})
            self.assertEqual(status["nodes"], [{"node": "cam", "messages": 4, "lost": 5, "before_joining": 5, "while_down": 0,
                                                "repeated": 0, "restarts": 1}])

    def nodes(self, daemon, events):
        status = daemon.wait_status(lambda status: status.get("events", 0) == events)
        self.assertEqual(status["lost"], {})
        return {node["node"]: (node["messages"], node["before_joining"], node["while_down"], node["repeated"])
                for node in status["nodes"]}

    def test_what_is_sent_while_the_daemon_is_down(self):
        """Numbers go on from one run to the next. After a crash nobody knows how far they had come."""
        def all_send(daemon, seq):
            node = daemon.publisher()
            for i in range(20):
                for name in ("cam", "cam2"):  # two senders of each model
                    send(node, f"fleet/m{i}/v1", {**GOOD, "node": name, "boot": "b", "seq": seq})
            batch = [{"model": "fleet/m0/v1", **GOOD}]
            batch[0].update(node="edge", boot="b", seq=seq)
            node.send_multipart([b"batch/edge", json.dumps(batch).encode()])

        for workers in ("0", "3"):
            with line.Daemon(workers=workers) as daemon:
                all_send(daemon, 7)
                self.assertEqual(self.nodes(daemon, 41), {"cam": (20, 140, 0, 0), "cam2": (20, 140, 0, 0), "edge": (1, 7, 0, 0)})
                self.assertEqual(daemon.stop(), 0)
                daemon.start()
                self.assertEqual(self.nodes(daemon, 0), {"cam": (0, 0, 0, 0), "cam2": (0, 0, 0, 0), "edge": (0, 0, 0, 0)})
                all_send(daemon, 10)  # 8 and 9 came while it was down
                self.assertEqual(self.nodes(daemon, 41), {"cam": (20, 0, 40, 0), "cam2": (20, 0, 40, 0), "edge": (1, 0, 2, 0)})
                daemon.kill()
                daemon.start()
                all_send(daemon, 12)
                self.assertEqual(self.nodes(daemon, 41), {"cam": (20, 240, 0, 0), "cam2": (20, 240, 0, 0), "edge": (1, 12, 0, 0)})

    def test_an_end_that_cannot_be_read(self):
        def start_again(daemon, change):
            self.assertEqual(daemon.stop(), 0)
            change(os.path.join(daemon.folder, "state", "monitors", "streams"))
            daemon.start()
            daemon.wait_log(lambda entry: entry["msg"].startswith("how far nodes had counted"))
            send(daemon.publisher(), MODEL, {**GOOD, "node": "cam", "boot": "b", "seq": 5})
            self.assertEqual(self.nodes(daemon, 1), {"cam": (1, 5, 0, 0)})

        def damage(path):
            with open(path, "r+b") as file:
                file.seek(-1, os.SEEK_END)
                last = file.read(1)[0]
                file.seek(-1, os.SEEK_END)
                file.write(bytes([last ^ 1]))

        with line.Daemon() as daemon:
            send(daemon.publisher(), MODEL, {**GOOD, "node": "cam", "boot": "b", "seq": 3})
            self.assertEqual(self.nodes(daemon, 1), {"cam": (1, 3, 0, 0)})
            start_again(daemon, damage)
            start_again(daemon, lambda path: os.truncate(path, 10))
            daemon.stop()
            # More workers than before: each keeps other topics.
            with open(daemon.config) as file:
                text = file.read()
            self.assertIn("workers: 0", text)
            daemon.write_config(text.replace("workers: 0", "workers: 2"))
            daemon.start()
            daemon.wait_log(lambda entry: entry["msg"].startswith("how far nodes had counted"))

    def test_a_restart_is_one_however_many_judge(self):
        """Twenty topics lie with three threads: each of them sees the new boot."""
        with line.Daemon(workers="3") as daemon:
            node = daemon.publisher()
            for boot in ("b1", "b2", "b3"):
                for i in range(20):
                    send(node, f"fleet/m{i}/v1", {**GOOD, "node": "cam", "boot": boot, "seq": 0})
            status = daemon.wait_status(lambda status: status.get("events", 0) == 60)
            self.assertEqual([(node["node"], node["messages"], node["restarts"]) for node in status["nodes"]], [("cam", 60, 2)])


if __name__ == "__main__":
    unittest.main()
