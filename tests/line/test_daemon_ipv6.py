"""The whole line over IPv6: every endpoint at [::1], bound and connected, and driftc as its client."""
import json
import os
import socket
import subprocess
import sys
import unittest

import zmq

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import line  # noqa: E402

MODEL = "visutility/object-detector/v1.2.3"
DRIFTC = os.path.join(line.BUILD, "driftc")
PORTS = {name: '"tcp://[::1]:*"' for name in ("metrics", "jobs", "feedback", "events")}


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as one:
            one.bind(("::1", 0))
        return True
    except OSError:
        return False


def free_port():
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as one:
        one.bind(("::1", 0))
        return one.getsockname()[1]


@unittest.skipUnless(has_ipv6(), "this machine does without IPv6")
class OverIpv6(unittest.TestCase):
    def drift(self, node):
        for _ in range(4):
            node.send_multipart([b"metrics/" + MODEL.encode(), json.dumps({"accuracy": 0.5}).encode()])

    def test_from_the_event_to_the_job_and_back(self):
        with line.Daemon(control=f'"tcp://[::1]:{free_port()}"', **PORTS) as daemon:
            for name, endpoint in daemon.endpoints.items():
                self.assertRegex(endpoint, r"^tcp://\[::1\]:[1-9][0-9]*$", name)
            watch = daemon.socket(zmq.SUB, "events", subscribe=b"driftd.retraining")
            trainer = daemon.socket(zmq.PULL, "jobs")
            feedback = daemon.socket(zmq.DEALER, "feedback")
            self.drift(daemon.publisher())
            job = json.loads(line.receive(trainer))
            self.assertEqual(job["subject"], MODEL)
            accept = {"say": "accept", "request": job["data"]["request"], "attempt": 1, "trainer": "t"}
            feedback.send_json(accept)
            self.assertTrue(json.loads(line.receive(feedback))["ok"])
            said = subprocess.run([DRIFTC, "--socket", daemon.endpoints["control"], "requests"], capture_output=True,
                                  text=True, timeout=line.PATIENCE_S)
            self.assertEqual(said.returncode, 0, said.stderr)
            self.assertIn(MODEL, said.stdout)
            feedback.send_json({**accept, "say": "done", "version": "v1.2.4"})  # by now the observer has subscribed
            self.assertTrue(json.loads(line.receive(feedback))["ok"])
            while not line.receive_parts(watch)[0].startswith(b"driftd.retraining.done"):
                pass

    def test_a_node_that_is_connected_to(self):
        context = zmq.Context()
        node = context.socket(zmq.XPUB)
        node.setsockopt(zmq.IPV6, 1)
        node.linger = 0
        node.bind("tcp://[::1]:*")
        at = node.last_endpoint.decode()
        with line.Daemon(jobs_more="feedback: none", metrics_more=f'connect: ["{at}"]') as daemon:
            trainer = daemon.socket(zmq.PULL, "jobs")
            for _ in range(3):
                line.receive(node)
            self.drift(node)
            self.assertEqual(json.loads(line.receive(trainer))["subject"], MODEL)
        context.destroy(linger=0)

    def test_driftc_publishes(self):
        with line.Daemon(control=f'"tcp://[::1]:{free_port()}"', **PORTS) as daemon:
            said = subprocess.run([DRIFTC, "--socket", daemon.endpoints["control"], "publish", "-"],
                                  input=json.dumps({"model": MODEL, "accuracy": 0.9}), capture_output=True, text=True,
                                  timeout=line.PATIENCE_S)
            self.assertEqual(said.returncode, 0, said.stderr)
            daemon.wait_status(lambda status: status["events"] == 1)


if __name__ == "__main__":
    unittest.main()
