"""Projects with endpoints of their own: keys that are limited to them get what is theirs, and nothing else."""
import json
import os
import subprocess
import unittest
import urllib.request

import zmq

from curve import LOOPBACK, SECURITY, CurveCase, Keys
from line import DRIFTD, PATIENCE_S, Daemon, event, receive, receive_parts

ANY = "tcp://127.0.0.1:*"
LIMITS = "retraining: {limits: {concurrent: none}}\n"
PROJECTS = f"projects: {{shop: {{jobs: '{ANY}', events: '{ANY}'}}, bank: {{jobs: '{ANY}', events: ['{ANY}']}}}}"
MILL = f"projects: {{shop: {{jobs: '{ANY}', events: '{ANY}'}}, mill: {{events: '{ANY}'}}}}"


def put_own(daemon):
    """Where the projects' own sockets are, under names as "jobs/shop"."""
    for project, kinds in daemon.ask("status")["endpoints"]["projects"].items():
        for kind, endpoints in kinds.items():
            if endpoints:
                daemon.endpoints[f"{kind}/{project}"] = endpoints[0]


class Projects(CurveCase):
    def setUp(self):
        super().setUp()
        self.of_shop, self.of_both, self.eye = Keys(), Keys(), Keys()
        self.lines = {"node": self.node.line("camera", "node"), "gpu": self.trainer.line("gpu", "trainer"),
                      "wall": self.observer.line("wall", "observer"), "shop": self.of_shop.line("shop", "trainer", "[shop]"),
                      "both": self.of_both.line("both", "trainer", "[shop, bank]"),
                      "eye": self.eye.line("eye", "observer", "[shop]")}
        self.allow(*self.lines)
        self.renew(PROJECTS)

    def renew(self, projects):
        self.daemon.clean()
        self.daemon = Daemon(more=SECURITY.format(folder=self.folder) + "\n" + LIMITS + projects, backoff="1ms",
                             jobs_more="accept_within: 1h", **LOOPBACK)
        self.addCleanup(self.daemon.clean)

    def allow(self, *names):
        self.clients("".join(self.lines[name] for name in names))

    def start(self):
        self.daemon.start()
        put_own(self.daemon)

    def drift(self, node, *models):
        for model in models:
            for _ in range(6):
                node.send_multipart([b"metrics/" + model.encode(), event(accuracy=0.1)])

    def job(self, socket):
        return json.loads(receive(socket))["data"]

    def puller(self, name, keys):
        return self.socket(zmq.PULL, name, keys, rcvhwm=1)

    def waiting(self, count):
        self.daemon.wait_status(lambda status: status.get("queue", {}).get("trainer") == count)

    def connected(self, kind, name, keys, **options):
        """A socket that is in, and a monitor that tells what becomes of it."""
        socket = self.daemon.context.socket(kind)
        socket.linger = 0
        for option, value in options.items():
            setattr(socket, option, value)
        socket.curve_publickey, socket.curve_secretkey = keys.public, keys.secret
        socket.curve_serverkey = self.server.public
        monitor = socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED)
        self.addCleanup(monitor.close)
        self.addCleanup(socket.close)
        socket.connect(self.daemon.endpoints[name])
        self.await_event(monitor, zmq.EVENT_HANDSHAKE_SUCCEEDED)
        return socket, monitor

    def await_event(self, monitor, wanted):
        while int.from_bytes(receive_parts(monitor)[0][:2], "little") != wanted:
            pass

    def reload(self):
        answer = self.daemon.ask("reload")
        self.assertTrue(answer["ok"], answer)

    # -- jobs --

    def test_a_trainer_gets_the_jobs_of_its_project(self):
        self.start()
        node = self.publisher(self.node)
        fleet, own = self.puller("jobs", self.trainer), self.puller("jobs/shop", self.of_shop)
        self.drift(node, "shop/a/v1", "mill/a/v1", "shop/b/v1")
        jobs = [self.job(own), self.job(own)]
        self.assertEqual([job["model"]["project"] for job in jobs], ["shop", "shop"])
        self.assertEqual(self.job(fleet)["model"]["project"], "mill")
        self.assertEqual(fleet.poll(0), 0)
        # What it has to say of these is heard; of others it is not.
        said = self.socket(zmq.REQ, "feedback", self.of_shop)
        about = {"request": jobs[0]["request"], "attempt": 1, "trainer": "t"}
        self.assertTrue(self.ask(said, say="accept", **about)["ok"])
        self.assertTrue(self.ask(said, say="progress", **about)["ok"])
        self.assertTrue(self.ask(said, say="done", **about)["ok"])
        for other in self.daemon.ask("requests")["requests"]:
            if other["model"].startswith("mill/"):
                answer = self.ask(said, say="accept", request=other["id"], attempt=1, trainer="t")
                self.assertEqual((answer["error"], answer["message"]),
                                 ("unauthorized", "this key is not for the project of the request"))
                self.assertEqual(self.daemon.ask("request", request=other["id"])["state"], "OFFERED")
        self.assertEqual(self.daemon.ask("status")["requests"]["DONE"], 1)

    def test_it_comes_in_nowhere_else(self):
        self.start()
        for knocking in [self.knock(zmq.PULL, "jobs", self.of_shop), self.knock(zmq.PULL, "jobs", self.of_both),
                         self.knock(zmq.PULL, "jobs/bank", self.of_shop), self.knock(zmq.SUB, "events/shop", self.of_shop),
                         self.knock(zmq.XPUB, "metrics", self.of_shop), self.knock(zmq.SUB, "events", self.eye),
                         self.knock(zmq.SUB, "events/bank", self.eye), self.knock(zmq.PULL, "jobs/shop", self.eye),
                         self.knock(zmq.PULL, "jobs/shop", Keys()), self.knock(zmq.PULL, "jobs/shop", None)]:
            self.kept_out(*knocking)
        self.assertGreaterEqual(self.daemon.ask("status")["security"]["refused"]["wrong_role"], 8)
        for name, keys in (("jobs/shop", self.of_shop), ("jobs/shop", self.of_both), ("jobs/bank", self.of_both),
                           ("jobs/shop", self.trainer)):
            self.connected(zmq.PULL, name, keys)

    def test_nobody_waits_for_the_trainers_of_others(self):
        self.start()
        node = self.publisher(self.node)
        fleet = self.puller("jobs", self.trainer)
        self.drift(node, "shop/a/v1", "mill/a/v1", "mill/b/v1")
        self.assertEqual([self.job(fleet)["model"]["project"] for _ in range(2)], ["mill", "mill"])
        self.waiting(1)
        queue = self.daemon.ask("status")["queue"]
        self.assertEqual({name: of["trainer"] for name, of in queue["projects"].items()}, {"bank": 0, "shop": 1})
        self.assertEqual(queue["projects"]["shop"]["trainer_wait_s"], queue["trainer_wait_s"])
        fleet.close()
        own = self.puller("jobs/shop", self.of_shop)
        self.assertEqual(self.job(own)["model"]["project"], "shop")
        # Nobody is there for the fleet, and the connection of shop's trainer is the one that takes.
        self.daemon.wait_status(lambda status: status["queue"]["trainer"] == 0)
        self.drift(node, "bank/a/v1", "shop/b/v1")
        self.assertEqual(self.job(own)["model"], {"project": "shop", "name": "b", "version": "v1"})
        self.waiting(1)

    # -- events --

    def test_an_observer_hears_of_its_project(self):
        self.start()
        node = self.publisher(self.node)
        own = self.socket(zmq.SUB, "events/shop", self.eye, subscribe=b"")
        fleet = self.socket(zmq.SUB, "events", self.observer, subscribe=b"")
        # Until both hear: a subscription takes its time.
        number = 0
        while not (own.poll(20) and fleet.poll(20)):
            self.drift(node, f"shop/m{number}/v1")
            number += 1
        self.reload()  # an event that belongs to no model
        self.drift(node, "bank/a/v1", "shop/last/v1")
        heard = {"own": set(), "fleet": set()}
        for name, socket in (("own", own), ("fleet", fleet)):
            while not any(b"/shop/last/v1" in topic for topic in heard[name]):
                topic, body = receive_parts(socket)
                self.assertEqual(json.loads(body)["type"], topic.split(b"/")[0].decode())
                heard[name].add(topic)
        self.assertEqual({topic.split(b"/")[1] for topic in heard["own"]}, {b"shop"})
        self.assertIn(b"driftd.reload", heard["fleet"])
        self.assertIn(b"bank", {(topic.split(b"/") + [b""])[1] for topic in heard["fleet"]})

    # -- keys that go --

    def test_a_trainer_is_cut_off_from_one_project(self):
        self.start()
        leaving, monitor = self.connected(zmq.PULL, "jobs/shop", self.of_both)
        staying, staying_monitor = self.connected(zmq.PULL, "jobs/bank", self.of_both)
        fleet, fleet_monitor = self.connected(zmq.PULL, "jobs", self.trainer)
        self.lines["both"] = self.of_both.line("both", "trainer", "[bank]")
        self.allow(*self.lines)
        self.reload()
        self.await_event(monitor, zmq.EVENT_DISCONNECTED)
        self.kept_out(*self.knock(zmq.PULL, "jobs/shop", self.of_both))
        self.assertEqual((staying_monitor.poll(0), fleet_monitor.poll(0)), (0, 0))
        node = self.publisher(self.node)
        self.drift(node, "shop/a/v1", "bank/a/v1")
        self.assertEqual(self.job(staying)["model"]["project"], "bank")
        self.waiting(1)
        self.assertEqual((leaving.poll(0), fleet.poll(0)), (0, 0))
        self.assertEqual(self.job(self.puller("jobs/shop", self.of_shop))["model"]["project"], "shop")

    def test_an_observer_is_cut_off(self):
        self.start()
        _, monitor = self.connected(zmq.SUB, "events/shop", self.eye, subscribe=b"")
        _, fleet_monitor = self.connected(zmq.SUB, "events", self.observer, subscribe=b"")
        self.allow("node", "gpu", "wall")
        self.reload()
        self.await_event(monitor, zmq.EVENT_DISCONNECTED)
        self.kept_out(*self.knock(zmq.SUB, "events/shop", self.eye))
        self.assertEqual(fleet_monitor.poll(0), 0)

    def test_another_server_key(self):
        self.start()
        _, monitor = self.connected(zmq.PULL, "jobs/shop", self.of_shop)
        self.server = Keys()
        self.write("curve.secret", self.server.secret.decode(), 0o600)
        self.reload()
        self.await_event(monitor, zmq.EVENT_DISCONNECTED)
        self.connected(zmq.PULL, "jobs/shop", self.of_shop)

    def test_an_overlap_does_not_reach_them_and_says_so(self):
        """The fleet has both keys for a while; a project's own socket has the one."""
        gap = "security.overlap does not reach the endpoints of projects"
        to_come = Keys()
        self.write("next.secret", to_come.secret.decode(), 0o600)
        self.assertNotIn(gap, self.check(0))
        self.daemon.clean()
        more = SECURITY.replace("}}", f", overlap: {{{{server_key: {{folder}}/next.secret, jobs: '{ANY}'}}}}}}}}")
        self.daemon = Daemon(more=more.format(folder=self.folder) + "\n" + LIMITS + PROJECTS, **LOOPBACK)
        self.addCleanup(self.daemon.clean)
        self.assertIn(gap, self.check(0))
        self.start()
        self.daemon.wait_log(lambda event: gap in event.get("msg", ""))
        self.assertIn(gap, self.daemon.ask("reload")["warnings"][0])
        self.kept_out(*self.knock(zmq.PULL, "jobs/shop", self.of_shop, to_come))
        self.connected(zmq.PULL, "jobs/shop", self.of_shop)

    # -- what is refused --

    def check(self, status):
        run = subprocess.run([DRIFTD, "--config", self.daemon.config, "--check"], capture_output=True, text=True,
                             timeout=PATIENCE_S)
        self.assertEqual(run.returncode, status, run.stderr)
        return run.stderr

    def test_every_project_of_a_key_needs_its_own(self):
        self.assertEqual(self.check(0), "")
        self.renew(MILL)
        said = self.check(78)
        self.assertEqual(len(said.splitlines()), 1, said)
        self.assertIn("a key with the role trainer cannot be limited to projects: a job goes to whichever trainer is free, "
                      "unless every project that it names has jobs endpoints of its own, and bank has none", said)
        self.assertIn('allowed: ["*"], or in the configuration projects: {"bank": {jobs: tcp://host:port}}', said)
        # Endpoints for events are none for jobs.
        self.lines["both"] = self.of_both.line("both", "trainer", "[shop, mill]")
        self.allow("both")
        self.assertIn("mill has none", self.check(78))
        self.lines["both"] = self.of_both.line("both", "observer", "[shop, mill]")
        self.allow("both")
        self.assertEqual(self.check(0), "")
        # A reload with such a file is refused as well.
        self.allow("node", "gpu", "shop")
        self.start()
        self.lines["shop"] = self.of_shop.line("shop", "trainer", "[mill]")
        self.allow("node", "gpu", "shop")
        answer = self.daemon.ask("reload")
        self.assertFalse(answer["ok"])
        self.assertIn("cannot be limited to projects", answer["message"])
        self.connected(zmq.PULL, "jobs/shop", self.of_shop)

    def test_a_change_needs_a_restart(self):
        with open(self.daemon.config) as file:
            text = file.read()
        self.start()
        for changed in (PROJECTS.replace("bank", "mill"), "", PROJECTS.replace(f"jobs: '{ANY}', events: ['{ANY}']", "")):
            self.assertNotEqual(changed, PROJECTS)
            self.allow("node", "gpu", "wall")
            self.daemon.write_config(text.replace(PROJECTS, changed))
            answer = self.daemon.ask("reload")
            self.assertEqual(answer["error"], "needs_restart")
            self.assertIn("projects: a change from ", answer["message"])
        # The same in another order is none.
        self.daemon.write_config(text.replace(PROJECTS, f"projects: {{bank: {{events: '{ANY}', jobs: '{ANY}'}}, "
                                                        f"shop: {{jobs: ['{ANY}'], events: '{ANY}'}}}}"))
        self.reload()

    def test_an_endpoint_that_is_taken(self):
        self.start()
        taken = self.daemon.endpoints["jobs/shop"]
        second = Daemon(more=f"projects: {{shop: {{jobs: '{taken}'}}}}")
        self.addCleanup(second.clean)
        run = subprocess.run([DRIFTD, "--config", second.config], capture_output=True, text=True, timeout=PATIENCE_S)
        self.assertEqual(run.returncode, 69, run.stderr)
        self.assertIn(f"projects.shop.jobs: {taken} is taken", run.stderr)


class Open(unittest.TestCase):
    def test_without_curve_too(self):
        daemon = Daemon()
        self.addCleanup(daemon.clean)
        with open(daemon.config, "a") as file:
            file.write(f"projects: {{shop: {{jobs: 'ipc://{daemon.folder}/shop'}}}}\n")
        daemon.start()
        self.assertEqual(daemon.ask("status")["endpoints"]["projects"],
                         {"shop": {"jobs": [f"ipc://{daemon.folder}/shop"], "events": []}})
        said = daemon.wait_log(lambda line: line["msg"] == "a project has endpoints of its own")
        self.assertEqual((said["project"], said["jobs"]), ("shop", f"ipc://{daemon.folder}/shop"))
        put_own(daemon)
        own = daemon.socket(zmq.PULL, "jobs/shop", rcvhwm=1)
        node = daemon.publisher()
        for _ in range(6):
            node.send_multipart([b"metrics/shop/a/v1", event(accuracy=0.1)])
        self.assertEqual(json.loads(receive(own))["data"]["model"]["project"], "shop")

    def metrics(self, daemon):
        with urllib.request.urlopen(f"http://{daemon.http}/metrics", timeout=PATIENCE_S) as page:
            return page.read().decode().splitlines()

    def test_metrics_have_them_apart(self):
        daemon = Daemon(http="127.0.0.1:0", more=f"projects: {{shop: {{jobs: '{ANY}'}}, bank: {{events: '{ANY}'}}}}")
        with daemon:
            self.assertTrue(daemon.ask("retrain", model="shop/a/v1")["ok"])
            self.assertTrue(daemon.ask("retrain", model="mill/a/v1")["ok"])
            self.assertTrue(daemon.ask("retrain", model="mill/b/v1")["ok"])
            said = [line for line in self.metrics(daemon) if "project" in line or "waiting{" in line]
            for wanted in ('driftd_requests_waiting{for="trainer"} 3', 'driftd_project_requests_waiting{project="shop",for="limit"} 0',
                           'driftd_project_requests_waiting{project="shop",for="trainer"} 1'):
                self.assertIn(wanted, said)
            self.assertTrue([line for line in said if line.startswith('driftd_project_trainer_wait_seconds{project="shop"} ')])
            self.assertFalse([line for line in said if "bank" in line])

    def test_without_any_nothing_is_said_of_them(self):
        with Daemon(http="127.0.0.1:0") as daemon:
            self.assertFalse([line for line in self.metrics(daemon) if "driftd_project" in line])
            self.assertNotIn("projects", daemon.ask("status")["queue"])
            self.assertNotIn("projects", daemon.ask("status")["endpoints"])
            self.assertFalse([line for line in daemon.events if "of its own" in line["msg"]])


if __name__ == "__main__":
    unittest.main()
