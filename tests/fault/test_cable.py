"""A cable that is cut: the other side says nothing any more, not even goodbye. Needs root and network namespaces.

By hand: sudo python3 tests/fault/test_cable.py
"""
import json
import os
import subprocess
import sys
import time
import unittest

import zmq

from catalogue import FaultCase, line, say

PEER = """
import sys, zmq
context = zmq.Context()
node, jobs = context.socket(zmq.XPUB), context.socket(zmq.PULL)
jobs.rcvhwm = 1
node.connect(sys.argv[1]); jobs.connect(sys.argv[2])
for _ in range(3): node.recv()
node.send_multipart([b"metrics/far/m/v1", b'{"accuracy": 0.9}'])
jobs.recv()
print("got", flush=True)
jobs.recv(); jobs.recv()
"""


class Cable(FaultCase):
    endpoints = {name: "tcp://0.0.0.0:*" for name in ("metrics", "jobs", "feedback", "events")}
    options = {"jobs_more": "accept_within: 300ms", "more": "security: {i_know: true}",
               "budgets": line.BUDGETS.format(backoff="1s").replace("window: 4", "window: 4\n    stale_after: 2s")}

    def setUp(self):
        self.name = f"driftd{os.getpid()}"
        self.far = None
        try:
            self.run_ip("netns", "add", self.name)
        except (OSError, subprocess.CalledProcessError) as error:
            self.skipTest(f"no network namespace can be made here: {error}")
        self.addCleanup(self.run_ip, "netns", "del", self.name)
        near, far = f"dn{os.getpid()}", f"df{os.getpid()}"
        try:
            self.run_ip("link", "add", "name", near, "type", "veth", "peer", "name", far, "netns", self.name)
        except subprocess.CalledProcessError as error:
            self.skipTest(f"no pair of virtual network devices can be made here: {error}")
        self.near = near
        self.run_ip("addr", "add", "198.18.77.1/30", "dev", near)
        self.run_ip("link", "set", near, "up")
        self.run_ip("-n", self.name, "addr", "add", "198.18.77.2/30", "dev", far)
        self.run_ip("-n", self.name, "link", "set", far, "up")
        super().setUp()
        self.port = port = {name: self.daemon.endpoints[name].rsplit(":", 1)[1] for name in ("metrics", "jobs")}
        self.outside = {name: f"tcp://198.18.77.1:{number}" for name, number in port.items()}

    def run_ip(self, *arguments):
        subprocess.run(["ip", *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def start_far(self):
        self.far = subprocess.Popen(["ip", "netns", "exec", self.name, sys.executable, "-c", PEER, self.outside["metrics"],
                                     self.outside["jobs"]], stdout=subprocess.PIPE)
        self.addCleanup(self.far.stdout.close)
        self.addCleanup(self.far.wait)
        self.addCleanup(self.far.kill)

    def connections(self, name):
        """Of the far side with one of the daemon's sockets, that are established."""
        with open(f"/proc/{self.daemon.process.pid}/net/tcp") as file:
            rows = [row.split() for row in file.readlines()[1:]]
        return sum(row[1].endswith(f":{int(self.port[name]):04X}") and row[2].startswith("024D12C6") and row[3] == "01"
                   for row in rows)

    def test_a_cable_is_cut(self):
        """The trainer is found dead by TCP: its job is offered again, and nothing more is sent to it. The node is
        reported as silent after `stale_after`."""
        watching = self.daemon.socket(zmq.SUB, "events", subscribe=b"driftd.model.stale/far/")
        self.start_far()
        self.daemon.wait_status(lambda status: status.get("events", 0) >= 5)
        self.assertEqual(self.connections("jobs"), 1)
        for _ in range(4):
            self.node.send_multipart([b"metrics/shop/other/v1", line.event(accuracy=0.1)])
        self.assertEqual(self.far.stdout.readline(), b"got\n")
        self.run_ip("link", "set", self.near, "down")
        cut = time.monotonic()
        while self.connections("jobs"):
            self.assertLess(time.monotonic() - cut, line.PATIENCE_S)
            self.daemon.ask("status")
        found_s = time.monotonic() - cut
        # The node behind the same cable says nothing either: its model is reported.
        self.assertEqual(line.receive_parts(watching)[0], b"driftd.model.stale/far/m/v1")
        jobs = self.daemon.socket(zmq.PULL, "jobs", rcvhwm=1)
        job = json.loads(line.receive(jobs))["data"]
        self.assertEqual(job["model"]["name"], "other")
        jobs.close()
        said, self.said = self.said, {"request": job["request"], "attempt": job["attempt"], "trainer": "u"}
        self.assertTrue(self.tell("accept")["ok"])
        self.assertTrue(self.tell("fail", error="x", retry=False)["ok"])
        self.said = said
        say(f"the dead trainer was found after {found_s:.1f} s")
        self.is_well()


if __name__ == "__main__":
    unittest.main()
