"""Where driftc publish and driftc trainer connect: what an option says, else what the daemon says of itself."""
import json
import os
import unittest

import line
from driftc_peers import Case, environment, run
from test_daemon_line import BAD, MODEL, send

GONE = "ipc:///nonexistent/control.sock"


class Live(unittest.TestCase):
    def setUp(self):
        self.daemon = line.Daemon(backoff="1h")
        self.addCleanup(self.daemon.clean)
        self.daemon.start()
        self.addCleanup(self.daemon.stop)
        self.control = self.daemon.endpoints["control"]

    def publish(self, *before, env=None):
        done = run(*before, "publish", "--model", MODEL, "-", input=json.dumps({"accuracy": 0.9}).encode() + b"\n", env=env)
        self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_publish_asks(self):
        self.publish("--socket", self.control)
        self.daemon.wait_status(lambda status: status.get("events", 0) == 1)
        self.publish(env=environment(DRIFTC_SOCKET=self.control))
        self.daemon.wait_status(lambda status: status.get("events", 0) == 2)

    def test_trainer_asks(self):
        node = self.daemon.publisher()
        self.addCleanup(node.close)
        for _ in range(3):
            send(node, MODEL, BAD)
        done = run("--socket", self.control, "trainer", "--once", "--exec", "true")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.daemon.wait_status(lambda status: status["requests"]["DONE"] == 1)


class Told(Case):
    def told(self, **status):
        return self.control(lambda question: {"ok": True, "security": {"curve": "off"}, **status}).endpoint

    def publish(self, *words, env=None):
        return run(*words, "--timeout", "2", "publish", "--model", MODEL, "/dev/null", env=env)

    def trainer(self, *words, env=None):
        return run(*words, "--timeout", "2", "trainer", "--once", "--exec", "true", env=env)

    def test_a_socket_that_is_named_has_to_answer(self):
        for command in (self.publish, self.trainer):
            done = command("--socket", GONE)
            self.assertEqual(done.returncode, 69)
            self.assertIn(GONE, self.sentence(done.stderr))

    def test_without_a_daemon_the_usual_endpoint_stands(self):
        done = run("--json", "--timeout", "2", "publish", "--model", MODEL, "/dev/null", env=environment(DRIFTC_SOCKET=GONE))
        self.assertIn(b"tcp://127.0.0.1:5570", done.stdout + done.stderr)
        self.assertNotIn(GONE.encode(), done.stderr)

    def test_a_given_endpoint_asks_nobody(self):
        done = run("--socket", GONE, "--timeout", "2", "publish", "--endpoint", f"ipc://{self.folder}/m", "--model", MODEL, "/dev/null")
        self.assertIn(f"ipc://{self.folder}/m", self.sentence(done.stderr))

    def test_every_address_is_reached_at_its_own(self):
        peer = self.told(endpoints={"metrics": ["tcp://0.0.0.0:9", "tcp://10.0.0.1:9"]})
        done = self.publish("--socket", peer)
        self.assertIn("nobody subscribes to metrics at tcp://127.0.0.1:9 within", self.sentence(done.stderr))

    def test_what_is_missing(self):
        keys = {"security": {"curve": "on"}, "endpoints": {"metrics": ["tcp://127.0.0.1:9"]}}
        cases = ((self.publish, {"endpoints": {"metrics": []}}, 69, "no metrics socket: set metrics.bind"),
                 (self.trainer, {"endpoints": {"jobs": ["tcp://127.0.0.1:9"]}}, 69, "no feedback socket: set feedback.bind"),
                 (self.publish, keys, 64, "this daemon asks for keys: --server-key and --cert are needed, of a client whose role is node"),
                 (self.trainer, keys, 64, "of a client whose role is trainer"))
        for command, status, expected, said in cases:
            with self.subTest(said=said):
                done = command("--socket", self.told(**status))
                self.assertEqual(done.returncode, expected)
                self.assertIn(said, self.sentence(done.stderr))
                os.remove(f"{self.folder}/control.sock")


if __name__ == "__main__":
    unittest.main()
