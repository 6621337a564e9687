"""Peers that libzmq turns away and publishers that it does not reach are told in the log, with what to do."""
import json
import os
import socket
import time
import unittest

import zmq

import curve
from line import PATIENCE_S, Daemon, plain_tcp, receive

LEFT = "a peer left before it had come in"
REFUSED = "a peer did not come in, its handshake failed"
MIXED = "one side speaks with keys and the other without: see security.curve here, and its keys there"
LOOPBACK = {name: "tcp://127.0.0.1:*" for name in ("jobs", "feedback", "events")}


# RFC 23: signature, version 3.0, mechanism, as-server, filler. A socket of libzmq's would go by itself when it reads ours.
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"CURVE".ljust(20, b"\0") + bytes(32)


def place_of(daemon, name):
    host, port = daemon.endpoints[name].removeprefix("tcp://").split(":")
    return host, int(port)


def free_port():
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return place.getsockname()[1]


class Handshakes(unittest.TestCase):
    def connected(self, daemon, name):
        peer = socket.create_connection(place_of(daemon, name), PATIENCE_S)
        self.addCleanup(peer.close)
        return peer

    def test_keys_where_there_are_none(self):
        with Daemon(**LOOPBACK) as daemon:
            for name in LOOPBACK:
                peer = self.connected(daemon, name)
                peer.sendall(GREETING)
                line = daemon.wait_log(lambda line, key=name + ".bind": line["msg"] == REFUSED and line["key"] == key)
                self.assertEqual((line["why"], line["endpoint"], line["times"]), (MIXED, daemon.endpoints[name], 1))
                self.assertIn(line["peer"], ("127.0.0.1:%d" % peer.getsockname()[1], "unknown"))  # who leaves at once may be
            daemon.wait_status(lambda status: status["handshakes"] == {"failed": 3, "broken_off": 0, "reconnected": 0})

    def test_on_a_unix_socket_the_process_is_named(self):
        with Daemon() as daemon, socket.socket(socket.AF_UNIX) as peer:
            peer.connect(daemon.endpoints["jobs"].removeprefix("ipc://"))
            daemon.ask("status")  # a while for the one who looks who has come
            peer.sendall(GREETING)
            self.assertIn(daemon.wait_log(lambda line: line["msg"] == REFUSED)["peer"], ("pid:%d" % os.getpid(), "unknown"))

    def test_who_leaves_by_himself_is_told_of_once_in_a_while(self):
        with Daemon(**LOOPBACK) as daemon:
            for _ in range(3):
                self.connected(daemon, "jobs").close()
            daemon.wait_status(lambda status: status["handshakes"] == {"failed": 0, "broken_off": 3, "reconnected": 0})
            daemon.stop()
            told = [line for line in daemon.events if line["msg"] in (REFUSED, LEFT)]
            self.assertEqual({(line["msg"], line["level"], line["key"]) for line in told}, {(LEFT, "info", "jobs.bind")})
            self.assertLessEqual(len(told), 2)  # of this host, and of who was gone before it was known where from

    def test_sockets_of_libzmq_with_keys(self):
        """Who reads the other's greeting first ends it; either is told."""
        with Daemon(**LOOPBACK) as daemon:
            peer = daemon.context.socket(zmq.PULL)
            peer.linger = 0
            peer.curve_publickey, peer.curve_secretkey = zmq.curve_keypair()
            peer.curve_serverkey = zmq.curve_keypair()[0]
            peer.connect(daemon.endpoints["jobs"])
            self.assertEqual(daemon.wait_log(lambda line: line["msg"] in (REFUSED, LEFT))["key"], "jobs.bind")
            peer.close()

    def test_nodes_with_a_socket_of_another_type(self):
        """libzmq hangs up once it knows that we subscribe, and says nothing; so we say it, who let it speak first."""
        for endpoint in (plain_tcp(), "ipc://{folder}/metrics"):
            for kind in (zmq.PUSH, zmq.DEALER, zmq.SUB):
                with self.subTest(endpoint=endpoint, kind=kind), Daemon(metrics=endpoint) as daemon:
                    node = daemon.socket(kind, "metrics")
                    line = daemon.wait_log(lambda line: line["msg"] == "a node's connection was ended")
                    self.assertEqual(line["why"], "its socket is neither PUB nor XPUB")
                    self.assertRegex(line["peer"], r"^127\.0\.0\.1:|^pid:%d$" % os.getpid())
                    daemon.wait_status(lambda status: status["connections_ended"] >= 1)
                    node.close()

    def test_a_publisher_that_comes_late(self):
        endpoint = "tcp://127.0.0.1:%d" % free_port()
        with Daemon(metrics_more=f'connect: ["{endpoint}"]') as daemon:
            away = daemon.wait_log(lambda line: line["msg"] == "a publisher is not reached; it is tried again and again")
            self.assertEqual((away["key"], away["endpoint"]), ("metrics", endpoint))
            publisher = daemon.context.socket(zmq.XPUB)
            publisher.linger = 0
            publisher.bind(endpoint)
            receive(publisher)  # the daemon's subscription
            there = daemon.wait_log(lambda line: line["msg"] == "a publisher is reached that was not before")
            self.assertEqual(there["endpoint"], endpoint)
            daemon.stop()
            self.assertEqual(sum(line["msg"].startswith("a publisher is not") for line in daemon.events), 1)


BROKEN = ("a publisher's connection ended for what it sent, a message beyond four times max_message or no ZMTP at all; "
          "it is connected to again")


class Publishers(unittest.TestCase):
    """libzmq gives up whom it connected to and who broke the protocol. We do not."""

    def publisher(self, daemon, endpoint):
        publisher = daemon.context.socket(zmq.XPUB)
        publisher.linger = 0
        publisher.xpub_verbose = True
        deadline = time.monotonic() + PATIENCE_S
        while True:  # libzmq closes the one before in a thread of its own
            try:
                publisher.bind(endpoint)
                return publisher
            except zmq.ZMQError:
                self.assertLess(time.monotonic(), deadline)

    def comes_and_is_heard(self, daemon, publisher, sequence):
        subscriptions = 0
        while subscriptions < 3:  # between them it may be told that those of a connection before are over
            subscriptions += receive(publisher).startswith(b"\1")
        publisher.send_multipart([b"metrics/m/a/v1", json.dumps(
            {"node": "n", "boot": "b", "seq": sequence, "accuracy": 0.9}).encode()])
        daemon.wait_status(lambda status: status["events"] == sequence + 1)

    def test_a_message_too_large(self):
        for host in ("127.0.0.1", "localhost"):
            port = free_port()
            with self.subTest(host=host), Daemon(metrics_more=f'connect: ["tcp://{host}:{port}"], max_message: 1KiB') as daemon:
                publisher = self.publisher(daemon, f"tcp://127.0.0.1:{port}")
                for sequence in range(3):  # its first connection, and such as libzmq calls by the address
                    self.comes_and_is_heard(daemon, publisher, sequence)
                    publisher.send_multipart([b"metrics/m/a/v1", bytes(4097)])
                self.comes_and_is_heard(daemon, publisher, 3)
                line = daemon.wait_log(lambda line: line["msg"] == BROKEN)
                self.assertEqual((line["endpoint"], line["times"]), (f"tcp://{host}:{port}", 1))
                self.assertEqual(daemon.ask("status")["handshakes"], {"failed": 0, "broken_off": 0, "reconnected": 3})
                daemon.stop()
                self.assertEqual(sum(line["msg"] == BROKEN for line in daemon.events), 1)  # a minute

    def test_something_else_at_its_port(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            with Daemon(metrics_more=f'connect: ["tcp://127.0.0.1:{port}"]') as daemon:
                peer = server.accept()[0]
                peer.sendall(GREETING)
                self.assertEqual(daemon.wait_log(lambda line: line["msg"] == REFUSED)["why"], MIXED)
                peer.close()
                server.close()
                publisher = self.publisher(daemon, f"tcp://127.0.0.1:{port}")
                self.comes_and_is_heard(daemon, publisher, 0)
                self.assertEqual(daemon.ask("status")["handshakes"]["reconnected"], 1)

    def test_one_that_starts_again_is_left_to_libzmq(self):
        endpoint = "tcp://127.0.0.1:%d" % free_port()
        with Daemon(metrics_more=f'connect: ["{endpoint}"]') as daemon:
            for sequence in range(3):
                publisher = self.publisher(daemon, endpoint)
                self.comes_and_is_heard(daemon, publisher, sequence)
                publisher.close()
                daemon.wait_log(lambda line: line["msg"].startswith("a publisher is not reached"))
            self.assertEqual(daemon.ask("status")["handshakes"]["reconnected"], 0)


class Keys(curve.CurveCase):
    def test_the_key_of_another_server(self):
        with self.daemon as daemon:
            trainer = self.socket(zmq.PULL, "jobs", self.trainer, server=curve.Keys())
            line = daemon.wait_log(lambda line: line["msg"] == REFUSED)
            self.assertEqual((line["key"], line["why"]), ("jobs.bind", "the client does not hold the server's public key"))
            trainer.close()

    def test_no_keys_where_there_are_some(self):
        with self.daemon as daemon, socket.create_connection(place_of(daemon, "metrics"), PATIENCE_S) as peer:
            peer.sendall(GREETING.replace(b"CURVE", b"NULL\0"))
            line = daemon.wait_log(lambda line: line["msg"] == REFUSED)
            self.assertEqual((line["key"], line["why"]), ("metrics.bind", MIXED))


if __name__ == "__main__":
    unittest.main()
