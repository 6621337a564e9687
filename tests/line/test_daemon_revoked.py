"""Keys that are taken away, given back, and changed, while their owners are connected."""
import json
import unittest

import zmq

from curve import LOOPBACK, SECURITY, CurveCase, Keys
from line import Daemon, event, receive, receive_parts


PATIENCE_MS = 60000


class Revoked(CurveCase):
    def setUp(self):
        super().setUp()
        self.second = Keys()
        self.daemon.clean()
        self.daemon = Daemon(more=SECURITY.format(folder=self.folder), jobs_more="accept_within: 300ms", backoff="1ms", **LOOPBACK)
        self.addCleanup(self.daemon.clean)
        self.lines = {"node": self.node.line("camera", "node"), "gpu": self.trainer.line("gpu", "trainer"),
                      "gpu2": self.second.line("gpu2", "trainer"), "eye": self.observer.line("eye", "observer")}
        self.allow("node", "gpu", "gpu2", "eye")

    def allow(self, *names):
        self.clients("".join(self.lines[name] for name in names))

    def connected(self, kind, name, keys, server=None, **options):
        """A socket that is in, and a monitor that tells what becomes of it."""
        socket = self.daemon.context.socket(kind)
        socket.linger = 0
        for option, value in options.items():
            setattr(socket, option, value)
        socket.curve_publickey, socket.curve_secretkey = keys.public, keys.secret
        socket.curve_serverkey = (server or self.server).public
        monitor = socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED)
        socket.connect(self.daemon.endpoints[name])
        self.await_event(monitor, zmq.EVENT_HANDSHAKE_SUCCEEDED)
        self.addCleanup(monitor.close)
        self.addCleanup(socket.close)
        return socket, monitor

    def await_event(self, monitor, wanted):
        while int.from_bytes(receive_parts(monitor)[0][:2], "little") != wanted:
            pass

    def reload(self):
        answer = self.daemon.ask("reload")
        self.assertTrue(answer["ok"], answer)

    def drift(self, node, model):
        for _ in range(6):
            node.send_multipart([b"metrics/shop/" + model + b"/v1", event(accuracy=0.1)])

    def job(self, socket):
        return json.loads(receive(socket))["data"]

    def finish(self, keys, job):
        feedback = self.socket(zmq.REQ, "feedback", keys)
        said = {"request": job["request"], "attempt": job["attempt"], "trainer": "t"}
        self.assertTrue(self.ask(feedback, say="accept", **said)["ok"])
        self.assertTrue(self.ask(feedback, say="done", **said)["ok"])
        feedback.close()

    def test_a_trainer_is_cut_off_and_comes_back(self):
        with self.daemon:
            node = self.publisher(self.node)
            revoked, monitor = self.connected(zmq.PULL, "jobs", self.trainer, rcvhwm=1)
            # Handed out, not accepted: nobody else is there.
            self.drift(node, b"a")
            self.assertTrue(revoked.poll(PATIENCE_MS))
            self.allow("node", "gpu2", "eye")
            self.reload()
            self.await_event(monitor, zmq.EVENT_DISCONNECTED)
            before = self.job(revoked)
            # Who still may gets it, and what comes after; who may not gets nothing more.
            other, _ = self.connected(zmq.PULL, "jobs", self.second, rcvhwm=1)
            again = self.job(other)
            self.assertEqual((again["request"], again["attempt"]), (before["request"], before["attempt"]))
            self.finish(self.second, again)
            self.drift(node, b"b")
            self.finish(self.second, self.job(other))
            self.assertEqual(revoked.poll(0), 0)
            # Given back, without a word to the trainer.
            other.close()
            self.allow("node", "gpu", "eye")
            self.reload()
            self.await_event(monitor, zmq.EVENT_HANDSHAKE_SUCCEEDED)
            self.drift(node, b"c")
            self.finish(self.trainer, self.job(revoked))
            self.daemon.wait_status(lambda status: status.get("requests", {}).get("DONE") == 3)

    def test_who_stays_is_back_at_once(self):
        with self.daemon:
            node = self.publisher(self.node)
            staying, monitor = self.connected(zmq.PULL, "jobs", self.second, rcvhwm=1)
            self.allow("node", "gpu2", "eye")
            self.reload()
            self.await_event(monitor, zmq.EVENT_HANDSHAKE_SUCCEEDED)
            self.drift(node, b"a")
            self.finish(self.second, self.job(staying))

    def test_an_observer_is_cut_off_and_comes_back(self):
        with self.daemon:
            watching, monitor = self.connected(zmq.SUB, "events", self.observer, subscribe=b"driftd.reload")
            self.allow("node", "gpu")
            self.reload()
            self.await_event(monitor, zmq.EVENT_DISCONNECTED)
            while watching.poll(0):
                receive_parts(watching)
            self.reload()
            self.assertEqual(watching.poll(0), 0)
            self.allow("node", "gpu", "eye")
            self.reload()
            self.await_event(monitor, zmq.EVENT_HANDSHAKE_SUCCEEDED)
            while not watching.poll(50):
                self.reload()

    def test_a_node_is_not_cut_but_asked(self):
        with self.daemon:
            node = self.publisher(self.node)
            self.allow("gpu")
            self.reload()
            node.send_multipart([b"metrics/shop/a/v1", event(accuracy=0.9)])
            self.daemon.wait_status(lambda status: status.get("dropped", {}) == {"unauthorized": 1})

    def test_a_table_that_lists_nobody_is_told(self):
        with self.daemon:
            self.allow()
            answer = self.daemon.ask("reload")
            self.assertTrue(answer["ok"], answer)
            self.assertIn("clients.yaml lists nobody: nobody is let in", answer["warnings"][0])
            self.allow("node")
            self.assertNotIn("warnings", self.daemon.ask("reload"))

    def test_another_server_key(self):
        with self.daemon:
            pulling, monitor = self.connected(zmq.PULL, "jobs", self.trainer, rcvhwm=1)
            before, after = self.server, Keys()
            self.write("curve.secret", "no key\n", 0o600)
            answer = self.daemon.ask("reload")
            self.assertFalse(answer["ok"])
            self.assertIn("security.server_key", answer["message"])
            self.assertIn("the configuration before stays in force", answer["message"])
            self.write("curve.secret", after.secret.decode(), 0o600)
            self.reload()
            self.await_event(monitor, zmq.EVENT_DISCONNECTED)
            self.server = after
            again, _ = self.connected(zmq.PULL, "jobs", self.second, rcvhwm=1)
            node = self.publisher(self.node)
            self.drift(node, b"a")
            self.finish(self.second, self.job(again))
            self.assertEqual(pulling.poll(0), 0)
            for knocking in [self.knock(zmq.PULL, "jobs", self.trainer, server=before),
                             self.knock(zmq.XPUB, "metrics", self.node, server=before),
                             self.knock(zmq.SUB, "events", self.observer, server=before)]:
                self.kept_out(*knocking)

    def configure(self, server_key, overlap=""):
        self.daemon.write_config(self.written.replace("{server_key}", server_key).replace("{overlap}", overlap))

    def test_a_change_of_keys_shuts_nobody_out(self):
        with open(self.daemon.config) as file:
            self.written = file.read().replace(f"server_key: {self.folder}/curve.secret", "server_key: {server_key}{overlap}")
        old, new = self.write("curve.secret", self.server.secret.decode(), 0o600), f"{self.folder}/next.secret"
        before, after = self.server, Keys()
        overlap = f", overlap: {{server_key: {new}, metrics: 'tcp://127.0.0.1:*', jobs: 'tcp://127.0.0.1:*', " \
                  "feedback: 'tcp://127.0.0.1:*', events: 'tcp://127.0.0.1:*'}"
        self.configure(old)
        with self.daemon:
            staying, monitor = self.connected(zmq.PULL, "jobs", self.trainer, rcvhwm=1)
            node = self.publisher(self.node)
            usual = dict(self.daemon.endpoints)
            self.configure(old, overlap)
            answer = self.daemon.ask("reload")
            self.assertIn("security.overlap.server_key", answer["message"])
            self.write("next.secret", after.secret.decode(), 0o600)
            self.reload()
            # Both keys let in, each at its own endpoints; what comes in here leaves there.
            endpoints = self.daemon.ask("status")["endpoints"]
            self.assertEqual({name: len(endpoints[name]) for name in usual if name != "control"},
                             {"metrics": 2, "jobs": 2, "feedback": 2, "events": 2})
            self.assertEqual([endpoints[name][0] for name in ("metrics", "jobs")], [usual["metrics"], usual["jobs"]])
            self.daemon.endpoints.update({name: endpoints[name][1] for name in ("metrics", "jobs", "feedback", "events")})
            for knocking in [self.knock(zmq.PULL, "jobs", self.second, server=before)]:
                self.kept_out(*knocking)
            self.server = after
            moved, moved_monitor = self.connected(zmq.PULL, "jobs", self.second, rcvhwm=1)
            watching, _ = self.connected(zmq.SUB, "events", self.observer, subscribe=b"driftd.")
            moved_node = self.publisher(self.node)
            for number, publisher in enumerate((node, moved_node, node, moved_node)):
                self.drift(publisher, b"a%d" % number)
            for socket in (staying, moved):
                self.assertTrue(socket.poll(PATIENCE_MS))
            self.assertTrue(watching.poll(PATIENCE_MS))
            # The old key goes: who has moved is not disturbed. (A client whose queue is full does not see it.)
            self.configure(new, overlap)
            self.reload()
            while not monitor.poll(50):
                while staying.poll(0):
                    staying.recv()
            self.await_event(monitor, zmq.EVENT_DISCONNECTED)
            self.assertEqual(moved_monitor.poll(0), 0)
            done = set()
            while len(done) < 4:
                job = self.job(moved)
                done.add(job["request"])
                self.finish(self.second, job)
            self.drift(moved_node, b"b")
            self.finish(self.second, self.job(moved))
            # And the usual endpoints have the new one, also when the others are gone.
            self.configure(new)
            self.reload()
            self.await_event(moved_monitor, zmq.EVENT_DISCONNECTED)
            self.daemon.endpoints.update(usual)
            self.kept_out(*self.knock(zmq.PULL, "jobs", self.trainer, server=before))
            back, _ = self.connected(zmq.PULL, "jobs", self.trainer, rcvhwm=1)
            self.drift(self.publisher(self.node), b"c")
            self.finish(self.trainer, self.job(back))

    def test_an_endpoint_that_is_not_to_be_had(self):
        with open(self.daemon.config) as file:
            text = file.read()
        taken = self.daemon.context.socket(zmq.PULL)
        port = taken.bind_to_random_port("tcp://127.0.0.1")
        self.write("next.secret", Keys().secret.decode(), 0o600)
        with self.daemon:
            self.daemon.write_config(text.replace(
                "security: {", f"security: {{overlap: {{server_key: {self.folder}/next.secret, jobs: 'tcp://127.0.0.1:{port}'}}, "))
            answer = self.daemon.ask("reload")
            self.assertEqual(answer["error"], "endpoint")
            self.assertIn(f"tcp://127.0.0.1:{port} is taken", answer["message"])
            self.assertIn("the configuration is in force", answer["message"])
            self.assertFalse(self.daemon.ask("status")["reload"]["ok"])
            taken.close()
            while not self.daemon.ask("reload")["ok"]:
                pass
            self.assertIn(f"tcp://127.0.0.1:{port}", self.daemon.ask("status")["endpoints"]["jobs"])


if __name__ == "__main__":
    unittest.main()
