"""effects.py - the table of what shows that each key of the configuration acts.

An effect is a function under the key that it shows: it gives the real daemon, or the real backtest, a document with that key,
and asserts what the key's default would not have done. test_every_key.py walks the documented keys and runs them all.
"""
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import line  # noqa: E402
from test_daemon_feedback import Trainer  # noqa: E402

DRIFTC = os.path.join(line.BUILD, "driftc")
START = 1764000000
SHOWN = {}
MODEL = "shop/detector/v1"


def shows(*keys):
    def keep(function):
        for key in keys:
            assert key not in SHOWN, key
            SHOWN[key] = function
        return function
    return keep


def documented_keys():
    """Key and type of every row of the table of keys, which check_config_docs compares with the schema."""
    with open(os.path.join(line.ROOT, "docs", "configuration.md"), encoding="utf-8") as file:
        table = file.read().split("\n## All keys", 1)[1]
    return re.findall(r"^\| `([^`]+)` \| ([^|]+?) \|", table, re.M)


def put(document, path, value):
    *above, last = path.split(".")
    for key in above:
        document = document.setdefault(key, {})
    document[last] = value


@contextlib.contextmanager
def prepared(changes=None, **endpoints):
    """A daemon that does not run yet, whose whole document is the endpoints of its folder and the changes."""
    daemon = line.Daemon(**endpoints)
    document = {"http": {"listen": "off"}, "state": {"dir": f"{daemon.folder}/state"},
                "log": {"level": "debug", "format": "json"},
                "control": {"bind": daemon.endpoints["control"]}}
    for name in ("metrics", "jobs", "feedback", "events"):
        document[name] = {"bind": daemon.endpoints[name]}
    for path, value in (changes or {}).items():
        put(document, path, value)
    daemon.write_config(json.dumps(document))
    try:
        yield daemon
    finally:
        daemon.clean()


@contextlib.contextmanager
def running(changes=None, **endpoints):
    with prepared(changes, **endpoints) as daemon:
        yield daemon.start()


def budget(**changes):
    """A block that triggers with the first bad value, where nothing else is said."""
    return {"models": "*", "window": 1, "min_events": 1, "consecutive_failures": 1, "backoff": "0s",
            "kpis": {"accuracy": {"min": 0.8}}, **changes}


def publish(daemon, *values, model=MODEL, **members):
    """Sends a model's accuracies and waits until the daemon has taken them."""
    before = daemon.ask("status")["events"]
    node = daemon.publisher()
    for value in values:
        node.send_multipart([b"metrics/" + model.encode(), line.event(accuracy=value, **members)])
    daemon.wait_status(lambda status: status.get("events", 0) >= before + len(values))
    node.close()


def retrain(case, daemon, model=MODEL):
    answer = daemon.ask("retrain", model=model)
    case.assertTrue(answer["ok"], answer)
    return answer["request"]


def accepted(case, daemon, model=MODEL):
    """Asks for a retraining by hand, and is the trainer that accepts it: (trainer, job, what accepting was answered)."""
    trainer = Trainer(daemon, "t")
    retrain(case, daemon, model)
    job = trainer.pull()
    answer = trainer.say("accept", job)
    case.assertTrue(answer["ok"], answer)
    return trainer, job, answer


def replay(case, document, events, as_table=False):
    """What a backtest of the events, a minute apart, triggers under a document."""
    with tempfile.TemporaryDirectory() as folder:
        config, recorded = os.path.join(folder, "c.yaml"), os.path.join(folder, "e.jsonl")
        with open(config, "w") as file:
            file.write(json.dumps(document))
        with open(recorded, "w") as file:
            for i, event in enumerate(events):
                file.write(json.dumps({"model": MODEL, "timestamp": START + 60 * i, **event}) + "\n")
        done = subprocess.run([DRIFTC, *([] if as_table else ["--json"]), "backtest", "--config", config, recorded],
                              capture_output=True, text=True, timeout=line.PATIENCE_S)
        case.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout if as_table else json.loads(done.stdout)["triggers"]


def lines(case, block, *values, metric="accuracy", **sections):
    """The places among the values at which one block of budgets triggers."""
    events = [{metric: value} for value in values]
    return [trigger["line"] for trigger in replay(case, {"budgets": [block], **sections}, events)]


def check(text):
    """(exit status, what is wrong) of `driftd --check`."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(text)
        file.flush()
        done = subprocess.run([line.DRIFTD, "--check", "--config", file.name], capture_output=True, text=True,
                              timeout=line.PATIENCE_S)
        return done.returncode, done.stderr.replace(file.name, "FILE")
