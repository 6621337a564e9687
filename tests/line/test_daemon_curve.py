"""CURVE over real sockets: who is let in, what he may say, and what becomes of those who may not."""
import json
import os
import select
import shutil
import subprocess
import unittest

import zmq

from curve import LOOPBACK, SECURITY, CurveCase, Keys
from line import BUILD, DRIFTD, Daemon, PATIENCE_S, event, receive

DRIFTC = os.path.join(BUILD, "driftc")


class Curve(CurveCase):
    def test_those_who_may(self):
        with self.daemon:
            self.assertEqual(self.daemon.wait_log(lambda line: line["msg"].startswith("CURVE is on"))["server_key"],
                             self.server.public.decode())
            jobs = self.socket(zmq.PULL, "jobs", self.trainer)
            feedback = self.socket(zmq.REQ, "feedback", self.trainer)
            node = self.publisher(self.node)
            for _ in range(6):
                node.send_multipart([b"metrics/shop/detector/v1", event(accuracy=0.5)])
            job = json.loads(receive(jobs))["data"]
            said = {"request": job["request"], "attempt": job["attempt"], "trainer": "t"}
            self.assertTrue(self.ask(feedback, say="accept", **said)["ok"])
            self.assertTrue(self.ask(feedback, say="done", **said)["ok"])
            status = self.daemon.ask("status")
            self.assertEqual(status["security"]["curve"], "on")
            self.assertEqual(status["security"]["accepted"], 3)
            self.assertEqual(status["dropped"], {})

    def test_an_observer_hears(self):
        with self.daemon:
            watching = self.socket(zmq.SUB, "events", self.observer, subscribe=b"")
            node = self.publisher(self.node)
            # Until it hears: a subscription takes its time.
            for _ in range(PATIENCE_S * 20):
                node.send_multipart([b"metrics/shop/detector/v1", event(accuracy=0.5)])
                node.send_multipart([b"metrics/shop/detector/v1", event(accuracy=0.9)])
                if watching.poll(50):
                    break
            self.assertTrue(receive(watching).startswith(b"driftd."))

    def test_those_who_may_not(self):
        with self.daemon:
            for knocking in [self.knock(zmq.XPUB, "metrics", None),
                             self.knock(zmq.XPUB, "metrics", Keys()),
                             self.knock(zmq.XPUB, "metrics", self.node, server=Keys()),
                             self.knock(zmq.XPUB, "metrics", self.trainer),
                             self.knock(zmq.XPUB, "metrics", self.observer),
                             self.knock(zmq.PULL, "jobs", self.node),
                             self.knock(zmq.PULL, "jobs", self.observer),
                             self.knock(zmq.REQ, "feedback", self.node),
                             self.knock(zmq.SUB, "events", self.trainer)]:
                self.kept_out(*knocking)
            refused = self.daemon.ask("status")["security"]["refused"]
            self.assertGreaterEqual(refused["unknown_key"], 1)
            self.assertGreaterEqual(refused["wrong_role"], 6)
            # And those who may still can.
            node = self.publisher(self.node)
            node.send_multipart([b"metrics/shop/detector/v1", event(accuracy=0.9)])
            self.daemon.wait_status(lambda status: status.get("events", 0) == 1)

    def test_a_spoofed_project(self):
        with self.daemon:
            node = self.publisher(self.node)
            node.send_multipart([b"metrics/bank/detector/v1", event(accuracy=0.5)])
            node.send_multipart([b"batch/camera", json.dumps([
                {"model": "bank/detector/v1", "accuracy": 0.1}, {"model": "shop/detector/v1", "accuracy": 0.9},
                {"model": "bank/other/v1", "accuracy": 0.1}]).encode()])
            node.send_multipart([b"beacon/camera", json.dumps(
                {"node": "camera", "boot": "b", "topics": {"bank/detector/v1": 7, "shop/detector/v1": 0}}).encode()])
            status = self.daemon.wait_status(lambda status: status["beacons"] == 1)
            self.assertEqual(status["dropped"], {"unauthorized": 4})
            self.assertEqual(status["events"], 1)
            models = [model["model"] for model in self.daemon.ask("models")["models"]]
            self.assertEqual(models, ["shop/detector/v1"])
            rejects = self.daemon.ask("rejects")
            self.assertIn("not for this project", json.dumps(rejects))

    def test_two_workers_know_it_too(self):
        self.daemon.clean()
        self.daemon = Daemon(workers="2", more=SECURITY.format(folder=self.folder), **LOOPBACK)
        self.addCleanup(self.daemon.clean)
        with self.daemon:
            node = self.publisher(self.node)
            events = [{"model": f"{project}/m{i}/v", "accuracy": 0.9} for i in range(50) for project in ("shop", "bank")]
            node.send_multipart([b"batch/camera", json.dumps(events).encode()])
            node.send_multipart([b"metrics/bank/detector/v1", event(accuracy=0.5)])
            self.daemon.wait_status(lambda status: status.get("events", 0) == 50 and status["dropped"] == {"unauthorized": 51})

    def test_a_daemon_without_curve_asks_nobody(self):
        self.daemon.clean()
        with Daemon() as daemon:
            node = daemon.publisher()
            node.send_multipart([b"metrics/bank/detector/v1", event(accuracy=0.9)])
            daemon.wait_status(lambda status: status.get("events", 0) == 1)
            self.assertEqual(daemon.ask("status")["security"], {"curve": "off"})

    # -- what cannot be started --

    def refused(self, status=78):
        run = subprocess.run([DRIFTD, "--config", self.daemon.config], capture_output=True, text=True, timeout=PATIENCE_S)
        self.assertEqual(run.returncode, status, run.stderr)
        return run.stderr

    def test_files_that_others_may_use(self):
        os.chmod(os.path.join(self.folder, "curve.secret"), 0o640)
        self.assertIn("chmod 600", self.refused())
        os.chmod(os.path.join(self.folder, "curve.secret"), 0o600)
        os.chmod(os.path.join(self.folder, "clients.yaml"), 0o666)
        self.assertIn("others may change it", self.refused())
        os.remove(os.path.join(self.folder, "clients.yaml"))
        self.assertIn("there is no such file", self.refused())
        self.clients(self.trainer.line("gpu", "trainer", "[shop]"))
        self.assertIn("a key with the role trainer cannot be limited to projects: a job goes to whichever trainer is free",
                      self.refused())

    def check(self, *arguments, status=78):
        run = subprocess.run([DRIFTD, "--config", self.daemon.config, "--check", *arguments], capture_output=True, text=True,
                             timeout=PATIENCE_S)
        self.assertEqual(run.returncode, status, run.stderr)
        return run.stderr.splitlines()

    def test_keys_at_their_defaults_are_told_with_the_place_of_curve(self):
        self.write("default.yaml", "log: {level: info}\nsecurity: {curve: on}\n", 0o644)
        path = os.path.join(self.folder, "default.yaml")
        run = subprocess.run([DRIFTD, "--config", path, "--check"], capture_output=True, text=True, timeout=PATIENCE_S,
                             env={**os.environ, "CREDENTIALS_DIRECTORY": self.folder + "/none"})
        said = [line for line in run.stderr.splitlines() if "server_key" in line]
        self.assertEqual((run.returncode, len(said)), (78, 1), run.stderr)
        self.assertTrue(said[0].startswith(f"{path}:2:19: security.server_key: {self.folder}/none/curve.secret: "), said)

    def test_check_opens_the_files(self):
        secret, clients = (os.path.join(self.folder, name) for name in ("curve.secret", "clients.yaml"))
        self.assertEqual(self.check(status=0), [])
        os.chmod(secret, 0o640)
        os.chmod(clients, 0o666)
        said = self.check()
        self.assertEqual(len(said), 2, said)
        self.assertRegex(said[0], rf"driftd.yaml:\d+:\d+: security.server_key: {secret}: others may read or change it")
        self.assertRegex(said[1], rf"driftd.yaml:\d+:\d+: security.clients: {clients}: others may change it")
        self.assertEqual(self.check("--no-env", status=0), [])
        os.chmod(clients, 0o644)
        self.write("curve.secret", self.server.secret.decode()[:-1] + "\n", 0o600)
        self.assertIn("holds no secret key of CURVE", self.check()[0])
        os.remove(secret)
        os.remove(clients)
        self.assertTrue(all("there is no such file" in line for line in self.check()))
        self.write("curve.secret", self.server.secret.decode(), 0o600)
        self.clients("- {key: short, name: camera, role: king}\n")
        said = self.check()
        self.assertIn("no public key", said[0])
        self.assertIn("allowed: node, trainer, observer", said[1])
        if os.geteuid() == 0:
            self.clients(self.node.line("camera", "node"))
            os.chown(secret, 12345, 12345)
            self.assertIn("belongs to somebody else", self.check()[0])

    def test_in_the_open_without_curve(self):
        self.daemon.write_config('metrics: {bind: ["tcp://0.0.0.0:5570"]}\n')
        said = self.refused()
        self.assertIn("listens beyond this machine", said)
        self.assertIn("i_know: true", said)

    # -- driftc --

    def driftc(self, *arguments, status=0):
        run = subprocess.run([DRIFTC, *arguments], capture_output=True, text=True, cwd=self.folder, timeout=PATIENCE_S)
        self.assertEqual(run.returncode, status, run.stderr)
        return run

    def test_keygen(self):
        line = self.driftc("keygen", "cam-7", "--project", "shop", "--project", "my bakery").stdout
        path = os.path.join(self.folder, "cam-7.secret")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        with open(path) as file:
            certificate = file.read()
        values = dict(part.strip().split(" = ", 1) for part in certificate.splitlines() if " = " in part)
        public, secret = values["public-key"].strip('"'), values["secret-key"].strip('"')
        self.assertEqual(zmq.curve_public(secret.encode()).decode(), public)
        self.assertEqual(line, f'- {{key: "{public}", name: "cam-7", role: node, projects: ["shop", "my bakery"]}}\n')
        self.assertNotIn(secret, line)
        self.assertIn("there already", self.driftc("keygen", "cam-7", status=73).stderr)
        with open(path) as file:
            self.assertEqual(file.read(), certificate)
        said = json.loads(self.driftc("--json", "keygen", "eye", "--role", "observer").stdout)
        self.assertEqual(set(said), {"name", "file", "public_key", "client"})
        self.driftc("keygen", "../evil", status=64)
        self.driftc("keygen", "t", "--role", "king", status=64)
        limited = self.driftc("keygen", "t", "--role", "trainer", "--project", "shop")
        self.assertIn('role: trainer, projects: ["shop"]}', limited.stdout)
        self.assertIn("Each of its projects needs endpoints of its own: projects.<project>.jobs", limited.stderr)

    def test_driftc_speaks_curve(self):
        server = self.driftc("keygen", "server", "--server", "--file", "server.secret").stdout
        shutil.copy(os.path.join(self.folder, "server.secret"), os.path.join(self.folder, "curve.secret"))
        self.clients("".join(self.driftc("keygen", *arguments).stdout for arguments in
                             (["cam"], ["gpu", "--role", "trainer"], ["eye", "--role", "observer"])))
        self.write("server.pub", server)
        self.write("events.jsonl", json.dumps({"accuracy": 0.5}) * 1 + "\n" + (json.dumps({"accuracy": 0.5}) + "\n") * 9)
        with self.daemon:
            at = self.daemon.endpoints
            self.driftc("publish", "--model", "shop/detector/v1", "--endpoint", at["metrics"], "--server-key",
                        server.strip(), "--cert", "cam.secret", "events.jsonl")
            self.driftc("trainer", "--once", "--exec", "cat >/dev/null", "--jobs-endpoint", at["jobs"],
                        "--feedback-endpoint", at["feedback"], "--server-key", "server.pub", "--cert", "gpu.secret")
            self.assertEqual(self.daemon.ask("status")["requests"]["DONE"], 1)
            self.assertIn("role is observer", self.driftc("--socket", at["control"], "watch", "--count", "1", status=64).stderr)
            watching = subprocess.Popen([DRIFTC, "--socket", at["control"], "--json", "watch", "--count", "1", "--server-key",
                                         "server.pub", "--cert", "eye.secret"], cwd=self.folder, stdout=subprocess.PIPE)
            self.addCleanup(watching.stdout.close)
            self.addCleanup(watching.wait)
            self.addCleanup(watching.kill)
            # Until it hears: a subscription takes its time.
            while not select.select([watching.stdout], [], [], 0.1)[0]:
                self.assertTrue(self.daemon.ask("reload")["ok"])
            self.assertEqual(json.loads(watching.stdout.readline())["type"], "driftd.reload")
        self.assertIn("--server-key is missing", self.driftc("publish", "--cert", "cam.secret", "events.jsonl", status=64).stderr)
        self.assertIn("holds no secret key", self.driftc("publish", "--server-key", "server.pub", "--cert", "events.jsonl",
                                                         "events.jsonl", status=64).stderr)


class WithoutCurve(unittest.TestCase):
    def test_a_node_with_a_key_or_a_password(self):
        """It would hang up without a word once it had seen that there is no key here: the log says what it wanted."""
        def curve(node):
            node.curve_publickey, node.curve_secretkey = zmq.curve_keypair()
            node.curve_serverkey = zmq.curve_keypair()[0]

        def plain(node):
            node.plain_username, node.plain_password = b"cam", b"secret"

        for give in curve, plain:
            with self.subTest(give.__name__), Daemon() as daemon:
                node = daemon.context.socket(zmq.PUB)
                node.linger = 0
                give(node)
                node.connect(daemon.endpoints["metrics"])
                told = daemon.wait_log(lambda line: line["msg"] == "a node's connection was ended")
                self.assertEqual((told["why"], told["times"]),
                                 ("it wants another mechanism than NULL, and this endpoint has no key", 1))


if __name__ == "__main__":
    unittest.main()
