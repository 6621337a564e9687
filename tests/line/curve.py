"""curve.py - a daemon with CURVE on, its files of keys, and peers that knock: for the tests of who may speak."""
import json
import os
import shutil
import tempfile
import unittest

import zmq

from line import Daemon, receive, receive_parts

LOOPBACK = {name: "tcp://127.0.0.1:*" for name in ("metrics", "jobs", "feedback", "events")}
SECURITY = "security: {{curve: on, server_key: {folder}/curve.secret, clients: {folder}/clients.yaml}}"
FAILED = (zmq.EVENT_DISCONNECTED, zmq.EVENT_HANDSHAKE_FAILED_AUTH, zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL,
          zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL, zmq.EVENT_CONNECT_RETRIED)


class Keys:
    """A pair of keys, as pyzmq makes them: the daemon's tools are not asked."""

    def __init__(self):
        self.public, self.secret = zmq.curve_keypair()

    def line(self, name, role, projects='["*"]'):
        return f'- {{key: "{self.public.decode()}", name: {name}, role: {role}, projects: {projects}}}\n'


class CurveCase(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="driftd-curve.")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.server, self.node, self.trainer, self.observer = Keys(), Keys(), Keys(), Keys()
        self.write("curve.secret", self.server.secret.decode() + "\n", 0o600)
        self.clients(self.node.line("camera", "node", "[shop]") + self.trainer.line("gpu", "trainer") +
                     self.observer.line("eye", "observer"))
        self.daemon = Daemon(more=SECURITY.format(folder=self.folder), **LOOPBACK)
        self.addCleanup(self.daemon.clean)

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def clients(self, text):
        self.write("clients.yaml", text)

    def socket(self, kind, name, keys, server=None, **options):
        if keys:
            options.update(curve_publickey=keys.public, curve_secretkey=keys.secret,
                           curve_serverkey=(server or self.server).public)
        return self.daemon.socket(kind, name, **options)

    def publisher(self, keys):
        """A node that has heard the daemon's subscriptions."""
        socket = self.socket(zmq.XPUB, "metrics", keys, sndhwm=0)
        for _ in range(3):
            receive(socket)
        return socket

    def knock(self, kind, name, keys, server=None):
        """Connects, and lets the socket's monitor tell what becomes of it."""
        socket = self.daemon.context.socket(kind)
        socket.linger = 0
        if keys:
            socket.curve_publickey, socket.curve_secretkey = keys.public, keys.secret
            socket.curve_serverkey = (server or self.server).public
        monitor = socket.get_monitor_socket(zmq.EVENT_ALL)
        self.addCleanup(monitor.close)
        self.addCleanup(socket.close)
        socket.connect(self.daemon.endpoints[name])
        return socket, monitor

    def kept_out(self, socket, monitor):
        while True:
            number = int.from_bytes(receive_parts(monitor)[0][:2], "little")
            self.assertNotEqual(number, zmq.EVENT_HANDSHAKE_SUCCEEDED)
            if number in FAILED:
                break
        socket.disable_monitor()
        monitor.close()
        socket.close()

    def ask(self, socket, **message):
        socket.send_json(message)
        return json.loads(receive(socket))
