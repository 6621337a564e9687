"""driftc backtest on files that people have, record's words, and publish on what was recorded."""
import datetime
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import line  # noqa: E402

DRIFTC = os.path.join(line.BUILD, "driftc")
CONFIG = """
budgets:
  - models: "*"
    window: 4
    min_events: 1
    consecutive_failures: 3
    backoff: 10m
    kpis: {accuracy: {min: 0.80, over: mean}}
retraining: {choose: cheapest}
"""
START = 1764000000


def oracle(events):
    """The window rule of docs/detection.md, written anew: indices of triggers."""
    found, state = [], {}
    for index, event in enumerate(events):
        model = state.setdefault(event["model"], {"window": [], "failures": 0, "last": None})
        if "accuracy" not in event:
            continue
        model["window"] = (model["window"] + [event["accuracy"]])[-4:]
        if sum(model["window"]) / len(model["window"]) >= 0.8:
            model["failures"] = 0
            continue
        model["failures"] += 1
        since = None if model["last"] is None else event["timestamp"] - model["last"]
        if model["failures"] >= 3 and (since is None or since >= 600):
            found.append(index)
            model["last"], model["failures"] = event["timestamp"], 0
    return found


def stream():
    source = random.Random(3)
    events = []
    for i in range(3000):
        bad = (i // 300) % 3 == 1
        event = {"model": f"shop/m{source.randrange(3)}/v1", "timestamp": START + 20 * i,
                 "latency_ms": round(source.uniform(1, 9), 3)}
        if source.random() < 0.8:
            event["accuracy"] = round(source.uniform(0.6, 0.8) if bad else source.uniform(0.82, 1), 4)
        events.append(event)
    return events


def stamp(at_s):
    return datetime.datetime.fromtimestamp(at_s, datetime.timezone.utc).isoformat().replace("+00:00", "Z")


class Backtest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.config = self.write("c.yaml", CONFIG)

    def write(self, name, text):
        path = os.path.join(self.folder.name, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def run_driftc(self, *words, status=0, stdin=None):
        done = subprocess.run([DRIFTC, *words], capture_output=True, text=True, input=stdin, timeout=line.PATIENCE_S)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout, done.stderr

    def report(self, *words, stdin=None):
        out, err = self.run_driftc("--json", "backtest", "--config", self.config, *words, stdin=stdin)
        return json.loads(out), err

    def test_agrees_with_the_rule_written_anew(self):
        events = stream()
        path = self.write("e.jsonl", "".join(json.dumps(event) + "\n" for event in events))
        report, err = self.report(path)
        self.assertEqual(err, "")
        self.assertEqual([t["line"] for t in report["triggers"]], oracle(events))
        self.assertGreater(len(report["triggers"]), 10)
        for trigger in report["triggers"]:
            event = events[trigger["line"]]
            self.assertEqual((trigger["model"], trigger["time"]), (event["model"], event["timestamp"]))
            self.assertEqual((trigger["rule"], trigger["metric"], trigger["limit"]), ("accuracy mean < 0.8", "accuracy", 0.8))
        self.assertEqual(set(report), {"events", "triggers", "false_alarms", "misses", "delays", "gpu_hours"})
        self.assertEqual((report["events"], report["misses"], report["delays"]), (3000, 0, []))
        self.assertEqual(report["false_alarms"], len(report["triggers"]))
        # The same events by another name, as CSV with cells that are written otherwise, and through a pipe.
        rows = ["timestamp,model,accuracy,latency_ms,comment"]
        for i, event in enumerate(events):
            accuracy = "" if "accuracy" not in event else f"+{event['accuracy']}" if i % 2 else str(event["accuracy"])
            rows.append(f"{event['timestamp']},\"{event['model']}\",{accuracy},{event['latency_ms']:e},\"a \"\"b\"\"\"")
        text = "\r\n".join(rows) + "\r\n"
        self.assertEqual(self.report(self.write("e.csv", text))[0], report)
        self.assertEqual(self.report("-", stdin=text)[0], report)

    def test_labels(self):
        events = [{"model": "a/b/c", "timestamp": START + 60 * i, "accuracy": 0.5 if 100 <= i < 150 else 0.9}
                  for i in range(300)]
        path = self.write("e.jsonl", "".join(json.dumps(event) + "\n" for event in events))
        labels = [{"model": "a/b/c", "from": START + 60 * 100, "to": START + 60 * 149},
                  {"model": "a/b/c", "from": START + 60 * 200, "to": START + 60 * 210},
                  {"model": "not/here/1", "from": START, "to": START + 60}]
        known = self.write("l.jsonl", "".join(json.dumps(label) + "\n" for label in labels))
        report, _ = self.report("--labels", known, path)
        # The mean of four falls below 0.8 with the second bad event; three failures: the fourth.
        self.assertEqual((report["delays"], report["misses"]), ([4], 2))
        self.assertEqual(report["labels_without_events"], 1)
        inside = [t for t in report["triggers"] if START + 6000 <= t["time"] <= START + 60 * 149]
        self.assertEqual(report["false_alarms"], len(report["triggers"]) - len(inside))
        table = "model,from,to\n" + "".join(f"{label['model']},{stamp(label['from'])},{stamp(label['to'])}\n" for label in labels)
        self.assertEqual(self.report("--labels", self.write("known.csv", table), path)[0], report)
        out, _ = self.run_driftc("backtest", "--config", self.config, "--labels", known, path)
        self.assertIn("True changes: 1 found, 2 missed; after 4 events", out)
        for bad in ('{"model": "a/b/c", "from": 5}', '{"model": "a/b", "from": 1, "to": 2}',
                    '{"model": "a/b/c", "from": 3, "to": 2}', "{"):
            _, err = self.run_driftc("backtest", "--config", self.config, "--labels", self.write("bad", bad), path, status=65)
            self.assertRegex(err, r"^driftc: .*bad:1: .*\n$")

    def test_bad_lines_are_named_and_counted(self):
        good = '{"model": "a/b/c", "timestamp": %d, "accuracy": 0.9}\n'
        text = good % 1 + "\n" + '{"model": "a/b/c", "timestamp": 2, "accuracy": 2}\n' + "{\n" + good % 3 + "nothing\n"
        report, err = self.report(self.write("e.jsonl", text))
        self.assertEqual(report["events"], 2)
        self.assertEqual(report["dropped"], {"range": 1, "syntax": 2})
        named = err.splitlines()
        self.assertEqual(len(named), 3)
        for said, place in zip(named, (3, 4, 6)):
            self.assertRegex(said, rf"^driftc: .*e\.jsonl:{place}: dropped \((range|syntax)\): ")
        csv = "model,timestamp,accuracy\na/b/c,1,0.9\na/b/c,2,0.9,7\na/b/c,3,nan\na/b/c,4,bad\na/b/c,5,0.9\n"
        report, err = self.report(self.write("e.csv", csv))
        self.assertEqual((report["events"], report["dropped"]), (2, {"syntax": 1, "not_finite": 1, "type": 1}))
        self.assertEqual([said.split(":")[2] for said in err.splitlines()], ["3", "4", "5"])
        many = self.write("many.jsonl", good % 1 + "{\n" * 1000)
        report, err = self.report(many)
        self.assertEqual((report["dropped"]["syntax"], len(err.splitlines())), (1000, 11))

    def test_a_csv_whose_columns_are_no_metrics(self):
        for text in ("accuracy;latency_ms\n0.5;3\n0.6;3\n", "model\ttimestamp\taccuracy\na/b/c\t1\t0.5\n", "Accuracy\n0.5\n",
                     "model,timestamp,received_at,n\na/b/c,1,1,1\n", "0.5\n0.6\n"):
            with self.subTest(text=text):
                out, err = self.run_driftc("backtest", "--config", self.config, "--model", "a/b/c", self.write("e.csv", text),
                                           status=65)
                self.assertEqual(out, "")
                self.assertRegex(err, r"^driftc: .*e\.csv:1: no column of the header '.*' is a metric; .* commas between them\n$")

    def test_arrays_of_events(self):
        """On the wire an array is a batch, wherever it stands in the file."""
        event = {"model": "a/b/c", "timestamp": 1, "accuracy": 0.9}
        lines = [json.dumps([event, event]), json.dumps(event)]
        for text in ("\n".join(lines), "\n".join(reversed(lines))):
            self.assertEqual(self.report(self.write("e.jsonl", text))[0]["events"], 3)

    def test_files_without_models_and_several_files(self):
        rows = "timestamp,accuracy\n" + "".join(f"{START + i},0.5\n" for i in range(5))
        one, two = self.write("1.csv", rows), self.write("2.csv", rows.replace(",0.5", ",0.9"))
        _, err = self.run_driftc("backtest", "--config", self.config, one, status=65)
        self.assertIn("--model", err.splitlines()[-1])
        report, _ = self.report("--model", "x/y/z", one, two)
        self.assertEqual(report["events"], 10)
        self.assertEqual([(t["file"], t["line"], t["model"]) for t in report["triggers"]], [(one, 2, "x/y/z")])

    def test_what_is_wrong_is_one_sentence(self):
        path = self.write("e.jsonl", "")
        missing = os.path.join(self.folder.name, "missing")
        for words, status, says in ((["backtest", path], 64, "--config"), (["backtest", "--config", self.config], 64, "METRICS"),
                                    (["backtest", "--config", self.config, missing], 66, "missing"),
                                    (["backtest", "--config", self.config, path], 65, "no event"),
                                    (["backtest", "--config", missing, path], 78, "missing"),
                                    (["backtest", "--config", self.config, "--labels", missing, path], 66, "missing"),
                                    (["backtest", "--config", self.config, "--model", "x", path], 64, "project/name/version"),
                                    (["--socket", f"ipc://{missing}", "record", path], 69, "is driftd running?"),
                                    (["record"], 64, "FILE")):
            _, err = self.run_driftc(*words, status=status)
            self.assertEqual(len(err.splitlines()), 1, err)
            self.assertIn(says, err)
        bad = self.write("bad.yaml", "budgets:\n  - {models: '*', windw: 4}\n  - {models: ''}\n")
        _, err = self.run_driftc("backtest", "--config", bad, path, status=78)
        self.assertIn("bad.yaml:2:", err)


class Recorded(Backtest):
    """What was recorded is published again as it was sent."""
    test_agrees_with_the_rule_written_anew = test_labels = test_bad_lines_are_named_and_counted = None
    test_files_without_models_and_several_files = test_what_is_wrong_is_one_sentence = None

    def start_recorder(self, daemon, path, *more):
        recorder = subprocess.Popen([DRIFTC, "--socket", daemon.endpoints["control"], "--timeout", "60", "record", *more, path],
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(recorder.stderr.close)
        self.addCleanup(recorder.stdout.close)
        self.addCleanup(recorder.wait)
        self.addCleanup(recorder.kill)
        daemon.wait_status(lambda status: status["recording"]["on"])
        return recorder

    def lines(self, path):
        with open(path) as file:
            return [json.loads(text) for text in file]

    def test_publish_reads_a_recording(self):
        path, again = os.path.join(self.folder.name, "r.jsonl"), os.path.join(self.folder.name, "r2.jsonl")
        with line.Daemon() as daemon:
            recorder = self.start_recorder(daemon, path)
            node = daemon.publisher()
            for i in range(40):
                node.send_multipart([b"metrics/a/b/c%d" % (i % 2), line.event(
                    accuracy=0.5, x=i / 3, boot="b", seq=i, hue={"categories": {"red": i}}, timestamp=START + i)])
            daemon.wait_status(lambda status: status.get("events", 0) == 40 and sum(status["requests"].values()) == 1)
            recorder.send_signal(signal.SIGTERM)
            out, err = recorder.communicate(timeout=line.PATIENCE_S)
            self.assertEqual((recorder.returncode, err), (0, ""))
            self.assertIn("Recorded 40 events", out)
            node.close()
        recorded = self.lines(path)
        self.assertTrue(any("transition" in at for at in recorded))  # the failing models asked for retraining
        events = [at for at in recorded if "x" in at]
        self.assertEqual([at["x"] for at in events], [i / 3 for i in range(40)])
        self.assertEqual(events[7]["hue"], {"categories": {"red": 7}})
        self.assertEqual([at["taken"].split()[1] for at in events], [str(i // 2 + 1) for i in range(40)])
        with line.Daemon() as daemon:
            recorder = self.start_recorder(daemon, again, "--events", "40")
            self.run_driftc("--timeout", "60", "publish", "--speed", "100", "--endpoint", daemon.endpoints["metrics"], path)
            try:
                recorder.communicate(timeout=line.PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.fail(f"{len(self.lines(again))} lines of 40 events were recorded: {daemon.ask('status')}")
            self.assertEqual(daemon.ask("status")["dropped"], {})
        fresh = ("received_at", "taken")
        self.assertEqual([{k: v for k, v in at.items() if k not in fresh} for at in self.lines(again) if "x" in at],
                         [{k: v for k, v in at.items() if k not in fresh} for at in events])

    def test_what_is_no_recording_is_left_alone(self):
        text = "metrics: {}\n"
        path = self.write("driftd.yaml", text)
        with line.Daemon() as daemon:
            _, err = self.run_driftc("--socket", daemon.endpoints["control"], "record", path, status=73)
            self.assertIn("is there already, and is no recording", err)
        with open(path) as file:
            self.assertEqual(file.read(), text)

    def test_so_many_events_and_no_more(self):
        path = self.write("r.jsonl", "")
        with line.Daemon() as daemon:
            recorder = self.start_recorder(daemon, path, "--events", "10")
            node = daemon.publisher()
            node.send_multipart([b"metrics/a/b/c", line.event(accuracy=[0.9] * 100)])  # all in one piece
            out, _ = recorder.communicate(timeout=line.PATIENCE_S)
            self.assertEqual(len([at for at in self.lines(path) if "accuracy" in at]), 10)
            self.assertIn("Recorded 10 events", out.decode() if isinstance(out, bytes) else out)
            node.close()

    def test_a_recording_is_gone_on_with(self):
        path = self.write("r.jsonl", '{"model":"a/b/c","received_at":1,"accuracy":0.5}')  # cut off before its end
        with line.Daemon() as daemon:
            recorder = self.start_recorder(daemon, path, "--events", "1")
            node = daemon.publisher()
            node.send_multipart([b"metrics/a/b/c", line.event(accuracy=0.9)])
            recorder.communicate(timeout=line.PATIENCE_S)
            self.assertEqual(daemon.ask("status")["recording"]["lost"], 0)
            recorded = self.lines(path)
            self.assertEqual([at["accuracy"] for at in recorded], [0.5, 0.9])
            daemon.wait_status(lambda status: not status["recording"]["on"])
            node.close()


if __name__ == "__main__":
    unittest.main()
