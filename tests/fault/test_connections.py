"""Peers that misbehave before they have said anything: what a node, a trainer or an operator sees of it is nothing.

By hand: FAULT_FULL=1 python3 tests/fault/test_connections.py [Connections.test_...]
"""
import contextlib
import os
import random
import resource
import socket
import threading
import time
import unittest

import zmq

from catalogue import SPARE, FaultCase, address, line, peer, say, size, until_closed

KINDS = {"metrics": b"PUB", "jobs": b"PULL", "feedback": b"DEALER", "events": b"SUB"}
SOCKETS = tuple(KINDS)
SEED = int(os.environ.get("SEED", "1"))


class Connections(FaultCase):
    def garbage(self, chance, endpoint):
        """One connection that speaks no ZMTP, or begins to and goes on with noise."""
        connection = socket.create_connection(address(endpoint), timeout=line.PATIENCE_S)
        kind = chance.randrange(5)
        text = [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\xff" + bytes(8) + b"\x7f\x03\x00CURVE", b"\x01\x00\x01",
                chance.randbytes(chance.randrange(1, 4096)), b""][kind]
        try:
            connection.sendall(text + (chance.randbytes(200) if kind < 3 else b""))
        except ConnectionError:
            pass
        return connection

    def test_garbage(self):
        """Scanners, browsers and broken clients. Nothing is seen but closed connections."""
        total, at_once = size(16000, 1600), 400
        chance = random.Random(SEED)
        for _ in range(0, total, at_once):
            crowd = [self.garbage(chance, self.daemon.endpoints[SOCKETS[i % 4]]) for i in range(at_once)]
            self.flow(self.node, 10)
            for connection in crowd:
                connection.close()
        self.is_well(note=f"{total} connections in rounds of {at_once}; ")

    def test_silent_before_the_handshake(self):
        """A connection that says nothing is ended after the 3 s of the handshake."""
        crowd = [socket.create_connection(address(self.daemon.endpoints[SOCKETS[i % 4]])) for i in range(size(1000, 100))]
        for connection in crowd:
            until_closed(connection)
        self.is_well(note=f"{len(crowd)} silent connections; ")

    def test_idle_peers(self):
        """Ten thousand nodes that are connected and have nothing to say."""
        own, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (own, hard))
        self.limit(resource.RLIMIT_NOFILE, hard)
        wanted = size(10000, 1000)
        count = min(wanted, hard - 500)
        if count < wanted:
            say(f"{wanted} connections were wanted; the limit of descriptors, {hard}, allows {count}")
        # libzmq itself: one socket with as many connections, each from an address of its own.
        context = zmq.Context()
        self.addCleanup(context.destroy, linger=0)
        crowd = context.socket(zmq.PUB)
        host, port = address(self.daemon.endpoints["metrics"])
        for number in range(count):
            crowd.connect(f"tcp://127.1.{number // 250}.{number % 250 + 1}:0;{host}:{port}")
        deadline = time.monotonic() + 10 * line.PATIENCE_S
        while self.descriptors() < self.before[1] + count - SPARE:
            self.assertLess(time.monotonic(), deadline, f"{self.descriptors()} descriptors")
            self.daemon.ask("status")
        memory = self.memory_mb()
        self.flow(self.node)
        crowd.close(linger=0)
        context.term()
        kilobytes = (memory - self.before[0]) * 1000 / count
        if not line.sanitized():
            self.assertLess(kilobytes, 64)
        self.is_well(ceiling_mb=64 + count * 0.064, note=f"{count} idle peers, {kilobytes:.1f} kB each; ")

    def test_a_flood_of_connections(self):
        """Connect and hang up, from several sides, as fast as it goes."""
        each = size(10000, 500)

        def knock(name):
            for _ in range(each):
                connection = socket.create_connection(address(self.daemon.endpoints[name]), timeout=line.PATIENCE_S)
                # RST, so that this side keeps no port in TIME_WAIT
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                connection.close()
        crowd = [threading.Thread(target=knock, args=(name,)) for name in SOCKETS]
        for thread in crowd:
            thread.start()
        self.flow(self.node)
        for thread in crowd:
            thread.join(line.PATIENCE_S * 10)
            self.assertFalse(thread.is_alive())
        self.is_well(note=f"{each * 4} connections; ")

    def test_no_descriptor_left(self):
        """Who is connected goes on; new ones wait, and are let in when there are descriptors again."""
        talking = self.daemon.socket(zmq.REQ, "control")
        talking.send_json({"do": "status"})
        line.receive(talking)
        self.limit(resource.RLIMIT_NOFILE, self.before[1] + 20)
        crowd = [socket.create_connection(address(self.daemon.endpoints[SOCKETS[i % 4]])) for i in range(200)]
        for _ in range(20):
            for _ in range(100):
                self.node.send_multipart([b"metrics/shop/well/v1", line.event(accuracy=0.95)])
            talking.send_json({"do": "status"})
            line.receive(talking)
        for connection in crowd:
            connection.close()
        talking.close()
        self.is_well(note="200 connections for 20 descriptors; ")

    def test_trainers_and_observers_leave_descriptors_to_operators(self):
        """Those who are in stay; the daemon does not end when somebody commands it, and new ones come in when others have gone."""
        own = self.before[1] + 120
        self.limit(resource.RLIMIT_NOFILE, own)
        crowd = []
        for i in range(300):
            with contextlib.suppress(ConnectionError, TimeoutError):
                crowd.append(peer(self.daemon.endpoints[SOCKETS[1 + i % 3]], KINDS[SOCKETS[1 + i % 3]]))
            if i % 10 == 9:
                self.assertTrue(self.daemon.ask("status")["ok"])
        self.assertLess(self.descriptors(), own)
        self.daemon.wait_log(lambda entry: entry.get("why") == "no descriptor is left for it: end connections, or raise LimitNOFILE")
        self.assertTrue(self.daemon.ask("status")["ok"])
        for connection in crowd:
            connection.close()
        self.is_well(note="300 peers for 120 descriptors; ")

    def test_a_trainer_that_is_busy(self):
        """It takes no more than one job beyond the one that it works on, so libzmq reads nothing for it, heartbeats neither:
        nobody takes it for dead, and it goes on where it was."""
        jobs = self.daemon.socket(zmq.PULL, "jobs", rcvhwm=1)
        for model in range(4):
            for _ in range(4):
                self.node.send_multipart([f"metrics/shop/busy{model}/v1".encode(), line.event(accuracy=0.1)])
        line.receive(jobs)
        self.daemon.wait_status(lambda status: status.get("requests", {}).get("OFFERED", 0) >= 3)
        self.assertEqual(self.established("jobs"), 1)
        time.sleep(6)
        self.assertEqual(self.established("jobs"), 1, "the connection of a busy trainer was ended")
        line.receive(jobs)
        jobs.close()
        self.is_well(note="a busy trainer is not taken for dead; ")

    def test_peers_that_come_and_go(self):
        """Who speaks HTTP, at once or after the handshake of ZMTP 3.0, and leaves: nothing stays behind."""
        each = size(8000, 2000)
        for begin in (lambda name: socket.create_connection(address(self.daemon.endpoints[name])),
                      lambda name: peer(self.daemon.endpoints[name], KINDS[name])):
            for name in SOCKETS:
                for _ in range(0, each, 100):
                    crowd = [begin(name) for _ in range(100)]
                    for connection in crowd:
                        with contextlib.suppress(ConnectionError), connection:
                            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                            connection.recv(64)
                self.await_descriptors(self.before[1] + SPARE)
        self.is_well(ceiling_mb=32, note=f"{each} connections a socket, twice; ")

    def test_an_observer_that_reads_nothing(self):
        """Its events are dropped at libzmq's bound; nobody waits for it."""
        stalled = self.daemon.socket(zmq.SUB, "events", rcvhwm=1, subscribe=b"")
        for number in range(size(20000, 1000)):
            self.node.send_multipart([b"metrics/shop/m%d/v1" % (number % 50), line.event(accuracy=0.1 if number % 8 < 4 else 1)])
        self.is_well(note="a stalled observer; ")
        stalled.close()


if __name__ == "__main__":
    unittest.main()
