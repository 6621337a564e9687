"""effects_daemon.py - what shows that the keys of sockets, state, log and security act: see effects.py."""
import http.client
import json
import os
import sqlite3
import subprocess

import zmq

import line
from effects import MODEL, accepted, check, prepared, publish, retrain, running, shows
from test_daemon_feedback import Trainer
from test_daemon_start import stopped_thread

LOOPBACK = {name: "tcp://127.0.0.1:*" for name in ("metrics", "jobs", "feedback", "events")}
MANY = 2500


def bound(case, daemon, *names):
    """The first line of the log has the endpoints of the document, and they are used from then on."""
    for name in names:
        case.assertEqual(daemon.endpoints[name], f"ipc://{daemon.folder}/{name}")


@shows("metrics.bind")
def _(case):
    for endpoint in (line.plain_tcp(), "ipc://{folder}/metrics"):
        with running(metrics=endpoint) as daemon:
            case.assertEqual(daemon.endpoints["metrics"], endpoint.format(folder=daemon.folder))
            publish(daemon, 0.9)


@shows("metrics.connect")
def _(case):
    with prepared() as daemon, daemon.context.socket(zmq.XPUB) as node:
        node.bind(f"ipc://{daemon.folder}/node")
        with open(daemon.config) as file:
            document = json.load(file)
        document["metrics"] = {"bind": [], "connect": [f"ipc://{daemon.folder}/node"]}
        daemon.write_config(json.dumps(document))
        daemon.start()
        for _ in range(3):
            line.receive(node)
        node.send_multipart([b"metrics/" + MODEL.encode(), line.event(accuracy=1)])
        daemon.wait_status(lambda status: status.get("events", 0) == 1)


@shows("metrics.queue")
def _(case):
    """While nobody takes what libzmq reads, more messages wait than the default has room for, and a sender that may not drop
    goes on."""
    with running({"metrics.queue": MANY}, metrics=f"ipc://@driftd-effects-{os.getpid()}") as daemon:
        node = daemon.socket(zmq.XPUB, "metrics", sndhwm=1, sndtimeo=line.PATIENCE_S * 1000)
        node.setsockopt(zmq.XPUB_NODROP, 1)
        for _ in range(3):
            line.receive(node)
        message = line.event(accuracy=1, node="n" * 100) + b" " * 4000
        with stopped_thread(case, daemon.process.pid, "ingest"):
            for _ in range(MANY):
                node.send_multipart([b"metrics/" + MODEL.encode(), message])
        daemon.wait_status(lambda status: status.get("events", 0) == MANY)


@shows("metrics.max_message")
def _(case):
    with running({"metrics.max_message": "256B"}) as daemon:
        node = daemon.publisher()
        node.send_multipart([b"metrics/" + MODEL.encode(), line.event(accuracy=0.9) + b" " * 300])
        daemon.wait_status(lambda status: status["dropped"] == {"too_large": 1})


@shows("metrics.max_models")
def _(case):
    with running({"metrics.max_models": 1}) as daemon:
        node = daemon.publisher()
        for name in (b"a", b"b"):
            node.send_multipart([b"metrics/shop/" + name + b"/v1", line.event(accuracy=0.9)])
        daemon.wait_status(lambda status: status["dropped"] == {"too_many_models": 1} and status["events"] == 1)


@shows("metrics.max_future")
def _(case):
    with running({"metrics.max_future": "3650d"}) as daemon:
        publish(daemon, 0.9, timestamp=line.time.time() + 86400)
        case.assertEqual(daemon.ask("status")["dropped"], {})


@shows("jobs.bind", "feedback.bind")
def _(case):
    with running() as daemon:
        bound(case, daemon, "jobs", "feedback")
        accepted(case, daemon)


@shows("jobs.feedback")
def _(case):
    with running({"jobs.feedback": "none"}) as daemon:
        trainer = daemon.socket(zmq.PULL, "jobs")
        retrain(case, daemon)
        line.receive(trainer)
        daemon.wait_status(lambda status: status["requests"].get("DONE") == 1)


@shows("jobs.accept_within")
def _(case):
    with running({"jobs.accept_within": "200ms"}) as daemon:
        trainer = Trainer(daemon, "t")
        retrain(case, daemon)
        job = trainer.pull()
        case.assertEqual(job["accept_within_s"], 0.2)
        again = trainer.pull()
        case.assertEqual((again["request"], again["attempt"]), (job["request"], 1))


@shows("jobs.lease")
def _(case):
    with running({"jobs.lease": "200ms", "jobs.retry.first": "0s"}) as daemon:
        trainer, job, answer = accepted(case, daemon)
        case.assertEqual((job["lease_s"], answer["lease_s"]), (0.2, 0.2))
        case.assertEqual(trainer.pull()["attempt"], 2)


@shows("jobs.max_run")
def _(case):
    with running({"jobs.max_run": "200ms", "jobs.retry.first": "0s"}) as daemon:
        trainer, _, _ = accepted(case, daemon)
        case.assertEqual(trainer.pull()["attempt"], 2)


@shows("jobs.attempts")
def _(case):
    with running({"jobs.attempts": 1}) as daemon:
        trainer, job, _ = accepted(case, daemon)
        case.assertTrue(trainer.say("fail", job, error="no data")["ok"])
        case.assertEqual(daemon.ask("request", request=job["request"])["state"], "DEAD")


@shows("jobs.retry.first")
def _(case):
    with running({"jobs.retry": {"first": "10h", "max": "20h"}}) as daemon:
        trainer, job, _ = accepted(case, daemon)
        case.assertTrue(trainer.say("fail", job, error="no data")["ok"])
        case.assertGreater(daemon.ask("request", request=job["request"])["due_in_s"], 7 * 3600)


@shows("jobs.retry.max")
def _(case):
    """The twentieth wait would be 8 minutes and more, were it not for the longest."""
    with running({"jobs.retry": {"first": "1ms", "max": "1ms"}, "jobs.attempts": 30,
                  "retraining.limits.gpu_hours_per_day": "none"}) as daemon:
        trainer, job, _ = accepted(case, daemon)
        for attempt in range(1, 21):
            case.assertTrue(trainer.say("fail", job, error="no data")["ok"])
            job = trainer.pull()
            case.assertEqual(job["attempt"], attempt + 1)
            case.assertTrue(trainer.say("accept", job)["ok"])


@shows("events.bind")
def _(case):
    with running() as daemon:
        bound(case, daemon, "events")
        observer = daemon.socket(zmq.SUB, "events")
        observer.subscribe("driftd.reload")
        deadline = line.time.monotonic() + line.PATIENCE_S
        while not observer.poll(50):  # nothing else says that a subscription has arrived
            case.assertLess(line.time.monotonic(), deadline)
            case.assertTrue(daemon.ask("reload")["ok"])
        case.assertEqual(observer.recv_multipart()[0], b"driftd.reload")


@shows("control.bind")
def _(case):
    with running() as daemon:
        case.assertTrue(os.path.exists(f"{daemon.folder}/control"))
        case.assertTrue(daemon.ask("status")["ok"])


def get(daemon, path, **headers):
    host, port = daemon.http.rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=line.PATIENCE_S)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


@shows("http.listen")
def _(case):
    with running({"http.listen": "127.0.0.2:0"}) as daemon:
        case.assertRegex(daemon.http, r"^127\.0\.0\.2:[1-9]\d*$")
        case.assertEqual(get(daemon, "/healthz", Host="localhost"), 200)


@shows("http.hosts")
def _(case):
    with running({"http.listen": "127.0.0.1:0", "http.hosts": ["fleet.example"]}) as daemon:
        case.assertEqual(get(daemon, "/healthz", Host="fleet.example"), 200)
        case.assertEqual(get(daemon, "/healthz", Host="localhost"), 421)


@shows("workers")
def _(case):
    with running({"workers": 3}) as daemon:
        tasks = f"/proc/{daemon.process.pid}/task"
        names = [open(f"{tasks}/{task}/comm").read().strip() for task in os.listdir(tasks)]
        case.assertEqual(sorted(name for name in names if name.startswith("worker-")), ["worker-0", "worker-1", "worker-2"])
        case.assertEqual(daemon.ask("status")["workers"], 3)


@shows("state.dir")
def _(case):
    with running() as daemon:
        case.assertIn("requests.db", os.listdir(f"{daemon.folder}/state"))


@shows("state.checkpoint")
def _(case):
    """Written down by itself, without a stop, long before the default would have."""
    with running({"state.checkpoint": "100ms"}) as daemon:
        publish(daemon, 0.9)
        daemon.wait_status(lambda status: status["checkpoint"]["models"] == 1, patience_s=20)


KEPT = {}


def begin_keep(case):
    """Of two requests of a model that ended two days ago the older one is to leave, a minute after the start at the soonest."""
    folder = prepared({"state.keep": "1d"})
    daemon = folder.__enter__().start()
    case.addClassCleanup(folder.__exit__, None, None, None)
    ids = [daemon.ask("retrain", model=MODEL)["request"]]
    daemon.ask("cancel", request=ids[0])
    ids.append(daemon.ask("retrain", model=MODEL)["request"])
    daemon.ask("cancel", request=ids[1])
    daemon.stop()
    store = sqlite3.connect(f"{daemon.folder}/state/requests.db")
    with store:
        store.execute("UPDATE requests SET ended_s = ended_s - 172800, ended_ns = ended_ns - 172800000000000")
    store.close()
    KEPT.update(daemon=daemon.start(), ids=ids)


@shows("state.keep")
def _(case):
    """Begun before all others, since it takes longest."""
    daemon, (_, second) = KEPT["daemon"], KEPT["ids"]
    daemon.wait_log(lambda said: "state.keep ago are cleared away" in said["msg"], patience_s=3 * line.PATIENCE_S)
    case.assertEqual([request["id"] for request in daemon.ask("requests")["requests"]], [second])


def first_line(changes):
    """The first line of the log of a daemon that has no budgets, which it warns of."""
    with prepared(changes) as daemon:
        daemon.process = subprocess.Popen([line.DRIFTD, "--config", daemon.config], stderr=subprocess.PIPE, text=True)
        try:
            return daemon.process.stderr.readline()
        finally:
            daemon.process.kill()
            daemon.process.communicate()
            daemon.process = None


@shows("log.level")
def _(case):
    case.assertEqual(json.loads(first_line({"log.level": "warning"}))["level"], "warning")


@shows("log.format")
def _(case):
    case.assertIn(" level=info ", first_line({"log.format": "logfmt"}))
    case.assertTrue(first_line({"log.format": "json"}).startswith("{"))


def secured(case, node):
    """A daemon with keys of its own that knows one node."""
    server = zmq.curve_keypair()
    folder = line.tempfile.TemporaryDirectory()
    case.addCleanup(folder.cleanup)
    for name, text in (("server", server[1].decode() + "\n"),
                       ("clients", f'- {{key: "{node[0].decode()}", name: camera, role: node, projects: [shop]}}\n')):
        with open(os.open(f"{folder.name}/{name}", os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
            file.write(text)
    return server, {"security": {"curve": "on", "server_key": f"{folder.name}/server", "clients": f"{folder.name}/clients"}}


@shows("security.curve", "security.server_key", "security.clients")
def _(case):
    node = zmq.curve_keypair()
    server, changes = secured(case, node)
    with running(changes, **LOOPBACK) as daemon:
        keys = {"curve_publickey": node[0], "curve_secretkey": node[1], "curve_serverkey": server[0]}
        case.assertEqual(daemon.wait_log(lambda said: said["msg"].startswith("CURVE is on"))["server_key"], server[0].decode())
        camera = daemon.socket(zmq.XPUB, "metrics", **keys)
        for _ in range(3):
            line.receive(camera)
        camera.send_multipart([b"metrics/" + MODEL.encode(), line.event(accuracy=1)])
        camera.send_multipart([b"metrics/other/detector/v1", line.event(accuracy=1)])
        daemon.wait_status(lambda status: status.get("events", 0) == 1 and status["dropped"] == {"unauthorized": 1})


@shows("security.overlap.server_key", "security.overlap.metrics", "security.overlap.jobs", "security.overlap.feedback",
       "security.overlap.events")
def _(case):
    node, second = zmq.curve_keypair(), zmq.curve_keypair()
    _, changes = secured(case, node)
    key = os.path.join(os.path.dirname(changes["security"]["server_key"]), "next")
    with open(os.open(key, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
        file.write(second[1].decode())
    changes["security"]["overlap"] = {"server_key": key,
                                      **{name: "tcp://127.0.0.1:*" for name in ("metrics", "jobs", "feedback", "events")}}
    with running(changes, **LOOPBACK) as daemon:
        endpoints = daemon.ask("status")["endpoints"]
        for name in ("metrics", "jobs", "feedback", "events"):
            case.assertEqual(len(endpoints[name]), 2, endpoints)
        daemon.endpoints["metrics"] = endpoints["metrics"][1]
        camera = daemon.socket(zmq.XPUB, "metrics", curve_publickey=node[0], curve_secretkey=node[1], curve_serverkey=second[0])
        for _ in range(3):
            line.receive(camera)
        camera.send_multipart([b"metrics/" + MODEL.encode(), line.event(accuracy=1)])
        daemon.wait_status(lambda status: status.get("events", 0) == 1)


@shows("projects", "projects.<project>.jobs", "projects.<project>.events")
def _(case):
    """Its job leaves there and not where all others do; its event is heard there, and another project's is not."""
    with prepared() as daemon:
        at = {kind: f"ipc://{daemon.folder}/own-{kind}" for kind in ("jobs", "events")}
        with open(daemon.config) as file:
            document = json.load(file)
        document["projects"] = {"shop": at}
        daemon.write_config(json.dumps(document))
        daemon.start()
        daemon.endpoints.update({f"own-{kind}": endpoint for kind, endpoint in at.items()})
        observer = daemon.socket(zmq.SUB, "own-events")
        observer.subscribe("")
        other, own = daemon.socket(zmq.PULL, "jobs", rcvhwm=1), daemon.socket(zmq.PULL, "own-jobs", rcvhwm=1)
        deadline = line.time.monotonic() + line.PATIENCE_S
        number = 0
        while not observer.poll(50):  # nothing else says that a subscription has arrived
            case.assertLess(line.time.monotonic(), deadline)
            daemon.ask("cancel", request=retrain(case, daemon, f"shop/m{number}/v1"))
            number += 1
        retrain(case, daemon, "bank/detector/v1")
        retrain(case, daemon)
        case.assertEqual(json.loads(line.receive(other))["data"]["model"]["project"], "bank")
        case.assertEqual(json.loads(line.receive(own))["data"]["model"]["project"], "shop")
        topic = b""
        while MODEL.encode() not in topic:
            topic, _ = observer.recv_multipart()
            case.assertEqual(topic.split(b"/")[1], b"shop")


@shows("security.i_know")
def _(case):
    text = 'metrics: {bind: "tcp://*:5570"}\n'
    status, said = check(text)
    case.assertEqual(status, 78)
    case.assertIn("i_know: true", said)
    case.assertEqual(check(text + "security: {i_know: true}\n"), (0, ""))
