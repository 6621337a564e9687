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
            self.daemon.wait_status(lambda status: status["requests"]["DONE"] == 3)

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
            self.daemon.wait_status(lambda status: status["dropped"] == {"unauthorized": 1})

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


if __name__ == "__main__":
    unittest.main()
