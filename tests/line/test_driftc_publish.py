"""driftc publish against a subscriber that binds, as the daemon does."""
import contextlib
import json
import os
import signal
import subprocess
import unittest

import msgpack
import zmq

from driftc_peers import Case, DRIFTC, HOSTILE, LIMIT_S, environment, listens, run, started, until

MODEL = "shop/detector/v1"


class Publish(Case):
    def setUp(self):
        super().setUp()
        self.endpoint = f"ipc://{self.folder}/metrics.sock"
        self.sub = None
        self.queue = []
        self.addCleanup(lambda: self.sub and self.sub.close())

    def bind(self, hwm=0):
        self.sub = zmq.Context.instance().socket(zmq.SUB)
        self.sub.linger = 0
        self.sub.rcvhwm = hwm
        for topic in (b"metrics/", b"batch/", b"beacon/"):
            self.sub.subscribe(topic)
        self.sub.bind(self.endpoint)

    def file(self, text, name="events.jsonl"):
        path = f"{self.folder}/{name}"
        with open(path, "wb") as out:
            out.write(text if isinstance(text, bytes) else text.encode())
        return path

    def events(self, *events):
        return self.file("".join(json.dumps(event) + "\n" for event in events))

    def receive(self):
        """The next message: topic and raw payload."""
        if not self.queue:
            self.assertTrue(self.sub.poll(LIMIT_S * 1000), "nothing came")
            self.queue.append(self.sub.recv_multipart())
        frames = self.queue.pop(0)
        self.assertEqual(len(frames), 2)
        return frames[0].decode(), frames[1]

    def receive_all(self, decode=json.loads):
        """Messages up to the beacon that names the last of each topic, and that beacon."""
        messages, sent, boot = [], {}, None
        while True:
            topic, payload = self.receive()
            message = decode(payload)
            if topic.startswith("beacon/"):
                if boot and message["boot"] == boot and message["topics"] == sent and not self.queue:
                    return messages, message
                continue
            first = message[0] if isinstance(message, list) else message
            sent["batch" if topic.startswith("batch/") else topic[len("metrics/"):]] = first["seq"]
            boot = first["boot"]
            messages.append((topic, message))

    def publish(self, *words):
        """Runs driftc to its end, taking what it sends: a subscriber subscribes only while it listens."""
        if not self.sub:
            self.bind()
        process = subprocess.Popen([DRIFTC, "publish", "--endpoint", self.endpoint, "--node", "edge-1", *words], env=environment(),
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while process.poll() is None:
            if self.sub.poll(10):
                self.queue.append(self.sub.recv_multipart())
        out, err = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def test_json_lines(self):
        path = self.events({"model": MODEL, "accuracy": 0.1 + 0.2, "latency_ms": 41, "timestamp": 1795428000.25, "received_at": 1.5},
                           {"model": "shop/other/v2", "accuracy": 1, "node": "old", "boot": 7, "seq": 99},
                           {"model": MODEL, "accuracy": None, "histo": {"histogram": {"edges": [0, 1e-300], "counts": [3]}}, "n": 2 ** 40})
        done = self.publish(path)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertIn("3 events in 3 messages", done.stdout.decode())
        messages, beacon = self.receive_all()
        boot = beacon["boot"]
        mark = {"node": "edge-1", "boot": boot}
        self.assertEqual(messages, [
            (f"metrics/{MODEL}", {"accuracy": 0.1 + 0.2, "latency_ms": 41, "timestamp": 1795428000.25, "seq": 0, **mark}),
            ("metrics/shop/other/v2", {"accuracy": 1, "seq": 0, **mark}),
            (f"metrics/{MODEL}", {"accuracy": None, "histo": {"histogram": {"edges": [0, 1e-300], "counts": [3]}}, "n": 2 ** 40, "seq": 1, **mark})])
        self.assertEqual(beacon, {**mark, "topics": {MODEL: 1, "shop/other/v2": 0}})

    def test_each_start_is_another_boot(self):
        path = self.events({"accuracy": 1})
        boots = set()
        for _ in range(3):
            self.assertEqual(self.publish("--model", MODEL, path).returncode, 0)
            boots.add(self.receive_all()[1]["boot"])
        self.assertEqual(len(boots), 3)

    def test_csv(self):
        text = ("\ufefftimestamp,model,accuracy,latency_ms,\"odd.\"\"name\",node\r\n"
                "2026-11-23T10:00:00Z,shop/detector/v1,0.5,,1,x\r\n"
                "\r\n"
                "1795428000.5,\"shop/de\"\"t,\nector/v1\",,12,-3,\r\n"
                "1795428001,shop/detector/v1,1e-3,0x1p4,9007199254740993,").replace("shop/de\"\"t,\nector/v1", "shop/detector/v2").replace("0x1p4", "4")
        done = self.publish(self.file(text, "events.csv"))
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        messages, _ = self.receive_all()
        for _, event in messages:
            del event["node"], event["boot"], event["seq"]
        self.assertEqual(messages, [
            ("metrics/shop/detector/v1", {"timestamp": "2026-11-23T10:00:00Z", "accuracy": 0.5, 'odd."name': 1}),
            ("metrics/shop/detector/v2", {"timestamp": 1795428000.5, "latency_ms": 12, 'odd."name': -3}),
            ("metrics/shop/detector/v1", {"timestamp": 1795428001, "accuracy": 1e-3, "latency_ms": 4, 'odd."name': 9007199254740992.0})])

    def test_a_quoted_line_end(self):
        done = self.publish("--model", MODEL, self.file('"a\nb",accuracy\n1,"0.5"\n'))
        self.assertEqual(done.returncode, 0)
        event = self.receive_all()[0][0][1]
        self.assertEqual((event["a\nb"], event["accuracy"]), (1, 0.5))

    def test_msgpack(self):
        path = self.events({"accuracy": 0.1, "latency_ms": 3, "big": 2 ** 62, "neg": -5, "e": {"categories": {"cät": 1}}, "t": True, "z": None})
        self.assertEqual(self.publish("--format", "msgpack", "--model", MODEL, path).returncode, 0)
        messages, beacon = self.receive_all(decode=msgpack.unpackb)
        event = messages[0][1]
        self.assertEqual({k: event[k] for k in ("accuracy", "latency_ms", "big", "neg", "e", "t", "z")},
                         {"accuracy": 0.1, "latency_ms": 3, "big": 2 ** 62, "neg": -5, "e": {"categories": {"cät": 1}}, "t": True, "z": None})
        self.assertIsInstance(event["latency_ms"], int)
        self.assertEqual(beacon["topics"], {MODEL: 0})

    def test_batches_of_one_model(self):
        path = self.events(*({"accuracy": i / 8} for i in range(5)))
        self.assertEqual(self.publish("--batch", "2", "--model", MODEL, path).returncode, 0)
        messages, beacon = self.receive_all()
        self.assertEqual([(topic, [e["accuracy"] for e in batch], batch[0]["seq"]) for topic, batch in messages],
                         [(f"metrics/{MODEL}", [0, 0.125], 0), (f"metrics/{MODEL}", [0.25, 0.375], 1), (f"metrics/{MODEL}", [0.5], 2)])
        self.assertNotIn("seq", messages[0][1][1])
        self.assertEqual(beacon["topics"], {MODEL: 2})

    def test_batches_of_many_models(self):
        path = self.events({"model": "a/b/c", "accuracy": 1}, {"model": "d/e/f", "accuracy": 0}, {"model": "a/b/c", "accuracy": 1})
        self.assertEqual(self.publish("--batch", "2", path).returncode, 0)
        messages, beacon = self.receive_all()
        self.assertEqual([(topic, [e["model"] for e in batch]) for topic, batch in messages],
                         [("batch/edge-1", ["a/b/c", "d/e/f"]), ("batch/edge-1", ["a/b/c"])])
        self.assertEqual(beacon["topics"], {"batch": 1})

    def test_a_batch_that_is_too_large_leaves_in_parts(self):
        path = self.events(*({"x" + "y" * 60: i, "accuracy": 1} for i in range(20000)))
        self.assertEqual(self.publish("--batch", "20000", "--model", MODEL, path).returncode, 0)
        messages, beacon = self.receive_all()
        self.assertGreater(len(messages), 4)
        self.assertEqual([i for _, batch in messages for i in (e["x" + "y" * 60] for e in batch)], list(range(20000)))
        self.assertEqual([batch[0]["seq"] for _, batch in messages], list(range(len(messages))))
        self.assertTrue(all("seq" not in e for _, batch in messages for e in batch[1:]))
        self.assertEqual(beacon["topics"], {MODEL: len(messages) - 1})

    def test_nothing_is_sent_before_somebody_subscribes(self):
        path = self.events(*({"accuracy": i} for i in range(100)))
        with started("--timeout", "60", "publish", "--endpoint", self.endpoint, "--model", MODEL, path) as process:
            self.bind()
            messages, _ = self.receive_all()
            self.assertEqual(process.wait(LIMIT_S), 0)
        self.assertEqual([e["accuracy"] for _, e in messages], list(range(100)))

    def test_nobody_subscribes(self):
        done = run("--timeout", "0.1", "publish", "--endpoint", self.endpoint, "--model", MODEL, self.events({"accuracy": 1}))
        self.assertEqual((done.returncode, done.stdout), (69, b""))
        self.assertIn("is driftd running?", self.sentence(done.stderr))

    def test_a_slow_subscriber_loses_nothing(self):
        """Far more than all the buffers between hold; the subscriber takes none until the publisher is stuck or done."""
        count = 60000
        self.bind(hwm=1)
        path = self.events(*({"accuracy": 1, "i": i, "pad": "p" * 200} for i in range(count)))
        with started("publish", "--endpoint", self.endpoint, "--model", MODEL, path) as process:
            self.receive()
            try:
                process.wait(0.5)
            except subprocess.TimeoutExpired:
                pass
            got = [0]
            while got[-1] != count - 1:
                topic, payload = self.receive()
                if topic.startswith("metrics/"):
                    got.append(json.loads(payload)["i"])
            self.assertEqual(got, list(range(count)))
            self.assertEqual(process.wait(LIMIT_S), 0)

    def test_the_daemon_restarts(self):
        """What was in its hands is lost, and can be seen; what was not waits for it."""
        with started("publish", "--endpoint", self.endpoint, "--model", MODEL, "-", stdin=subprocess.PIPE) as process:
            def write(count):
                process.stdin.write(b'{"accuracy": 1}\n' * count)
                process.stdin.flush()

            self.bind()
            write(1)
            self.assertEqual(json.loads(self.receive()[1])["seq"], 0)
            self.sub.close()
            write(50)
            self.bind()
            written, seqs = 51, []
            while len(seqs) < 20:
                write(1)
                written += 1
                if self.sub.poll(10):
                    topic, payload = self.receive()
                    seqs += [json.loads(payload)["seq"]] if topic.startswith("metrics/") else []
            process.stdin.close()
            while seqs[-1] != written - 1:
                topic, payload = self.receive()
                seqs += [json.loads(payload)["seq"]] if topic.startswith("metrics/") else []
            self.assertEqual(seqs, list(range(seqs[0], written)))
            self.assertEqual(process.wait(LIMIT_S), 0)

    def test_the_daemon_goes_for_good(self):
        with started("--timeout", "0.2", "publish", "--endpoint", self.endpoint, "--model", MODEL, "-", stdin=subprocess.PIPE) as process:
            self.bind()
            process.stdin.write(b'{"accuracy": 1}\n')
            process.stdin.flush()
            self.receive()
            self.sub.close()
            until(lambda: not listens(f"{self.folder}/metrics.sock"), "the subscriber is gone")
            # What is written before the publisher notices goes nowhere; once it has noticed it reads no more, and the
            # pipe fills up.
            os.set_blocking(process.stdin.fileno(), False)
            try:
                while True:
                    os.write(process.stdin.fileno(), b'{"accuracy": 1}\n' * 100)
            except BlockingIOError:
                pass
            process.stdin.close()
            self.assertEqual(process.wait(LIMIT_S), 69)
            last = process.stderr.read().splitlines()[-1]
            self.assertRegex(last if isinstance(last, str) else last.decode(), "did not leave|has taken nothing")

    def test_standard_input_goes_out_as_it_comes(self):
        self.bind()
        with started("publish", "--endpoint", self.endpoint, "--model", MODEL, "--batch", "100", "-", stdin=subprocess.PIPE) as process:
            for i in range(3):
                process.stdin.write(json.dumps({"accuracy": i}).encode() + b"\n")
                process.stdin.flush()
                topic = "beacon/"
                while topic.startswith("beacon/"):
                    topic, payload = self.receive()
                self.assertEqual([e["accuracy"] for e in json.loads(payload)], [i])
            process.stdin.close()
            self.assertEqual(process.wait(LIMIT_S), 0)

    def test_beacons_go_on_while_input_is_silent(self):
        self.bind()
        with started("publish", "--endpoint", self.endpoint, "--model", MODEL, "-", stdin=subprocess.PIPE) as process:
            process.stdin.write(b'{"accuracy": 1}\n{"accuracy": 1}\n')
            process.stdin.flush()
            beacon = {"topics": {}}
            while beacon["topics"].get(MODEL) != 1:
                topic, payload = self.receive()
                beacon = json.loads(payload) if topic.startswith("beacon/") else beacon
            self.assertIsNone(process.poll())

    def test_ctrl_c_ends_with_a_summary(self):
        self.bind()
        for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            with started("publish", "--endpoint", self.endpoint, "--model", MODEL, "-", stdin=subprocess.PIPE) as process:
                process.stdin.write(b'{"accuracy": 1}\n')
                process.stdin.flush()
                while not self.receive()[0].startswith("metrics/"):
                    pass
                process.send_signal(number)
                out, _ = process.communicate(timeout=LIMIT_S)
                self.assertEqual(process.returncode, status)
                self.assertIn(b"Published 1 events", out)

    def test_rate(self):
        path = self.events(*({"accuracy": 1} for _ in range(41)))
        done = self.publish("--json", "--rate", "200", "--model", MODEL, path)
        self.assertEqual(done.returncode, 0)
        self.assertGreaterEqual(json.loads(done.stdout)["seconds"], 40 / 200 - 0.002)

    def test_a_time_far_before_the_first_is_due_at_once(self):
        self.bind()
        path = self.events(*({"timestamp": at, "accuracy": 0.9} for at in (5, -9.3e9, 5.001)))
        done = self.publish("--json", "--speed", "20", "--model", MODEL, path)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual(json.loads(done.stdout)["events"], 3)

    def test_a_time_far_ahead_is_told(self):
        self.bind()
        path = self.events(*({"timestamp": at, "accuracy": 0.9} for at in (5, 1e8)))
        process = subprocess.Popen([DRIFTC, "publish", "--endpoint", self.endpoint, "--speed", "1", "--model", MODEL, path], env=environment(),
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.kill)
        os.set_blocking(process.stderr.fileno(), False)
        said = []

        def heard():
            self.sub.poll(10)  # who listens subscribes
            said.append(process.stderr.read() or b"")
            return said[-1].endswith(b"\n")
        until(heard, "it says when")
        self.assertIn(f"{path}:2: this event is due in 1157 d", b"".join(said).decode())
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=LIMIT_S)

    def test_speed(self):
        path = self.events({"accuracy": 0, "received_at": 100}, {"accuracy": 1, "timestamp": 0, "received_at": 103},
                           {"accuracy": 2, "timestamp": "1970-01-01T01:01:46.5+01:00"}, {"accuracy": 3}, {"accuracy": 4, "timestamp": 50})
        done = self.publish("--json", "--speed", "20", "--model", MODEL, path)
        summary = json.loads(done.stdout)
        self.assertEqual((done.returncode, summary["events"]), (0, 5))
        self.assertGreaterEqual(summary["seconds"], 6.5 / 20 - 0.002)
        self.assertEqual([e["accuracy"] for _, e in self.receive_all()[0]], [0, 1, 2, 3, 4])

    def test_summary_as_json(self):
        done = self.publish("--json", "--model", MODEL, self.events({"accuracy": 1}, {"accuracy": 1}))
        summary = json.loads(done.stdout)
        self.assertEqual({k: summary[k] for k in ("events", "messages", "topics", "node", "endpoint")},
                         {"events": 2, "messages": 2, "topics": 1, "node": "edge-1", "endpoint": self.endpoint})

    def test_an_empty_file(self):
        for text in ("", "\n\n", "model,accuracy\n"):
            done = self.publish(self.file(text))
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            self.assertIn(b"Published 0 events", done.stdout)

    def test_a_line_that_is_wrong(self):
        """What stands before it was sent; the place is told."""
        good = '{"model": "a/b/c", "accuracy": 1}\n'
        for line in ('{"accuracy": 1}', '{"model": "a/b", "accuracy": 1}', '{"model": 5}', "[1]", '{"model": "a/b/c", "accuracy": NaN}', "{", "nonsense",
                     '{"model": "a/b/c", "accuracy": 1, "accuracy": 1}', '{"model": "a/b/c", "x": 1e999}', '{"model": "a/b/c", "x": "\ud800"}',
                     '{"model": "' + HOSTILE.replace("\n", "").replace("\r", "") + '"}'):
            with self.subTest(line=line):
                path = self.file((good + "\n" + line + "\n" + good).encode("utf-8", "surrogatepass"))
                done = self.publish(path)
                self.assertEqual(done.returncode, 65)
                text = self.sentence(done.stderr)
                self.assertIn(f"{path}:3: ", text)
                self.assertIn(b"Published 1 events", done.stdout)
                self.assert_harmless(text)
                self.assertEqual(len(self.receive_all()[0]), 1)

    def test_an_array_is_no_line(self):
        path = self.file('[{"accuracy": 1}]\n')
        done = self.publish("--model", MODEL, path)
        self.assertEqual(done.returncode, 65)
        self.assertIn(f"{path}:1: a line is one JSON object", self.sentence(done.stderr))

    def test_a_csv_that_is_wrong(self):
        for text, line in (("accuracy;latency_ms\n0.5;3\n", 1), ("a,\n1,2\n", 1), ("a,a\n", 1), ("accuracy\nx\n", 2), ("accuracy\n0.5\nnan\n", 3), ("accuracy\ninf\n", 2), ("accuracy\n0x10\n", 2),
                           ("accuracy,b\n1\n", 2), ("accuracy\n1,2\n", 2), ('accuracy\n"1"2\n', 2), ('accuracy\n"1\n', 2), ("accuracy\n1e999\n", 2),
                           ('accuracy,b\n"1\n2",x\n', 2)):
            with self.subTest(text=text):
                path = self.file(text)
                done = self.publish("--model", MODEL, path)
                self.assertEqual(done.returncode, 65)
                self.assertIn(f"{path}:{line}: ", self.sentence(done.stderr))

    def test_a_line_without_end(self):
        with started("publish", "--endpoint", self.endpoint, "--model", MODEL, "-", stdin=subprocess.PIPE) as process:
            self.bind()
            process.stdin.write(b'{"accuracy": 1}\n')
            process.stdin.flush()
            self.receive()
            with contextlib.suppress(BrokenPipeError):
                for _ in range(20):
                    process.stdin.write(b"{" + b" " * (1 << 20))
            self.assertEqual(process.wait(LIMIT_S), 65)

    def test_wrong_usage(self):
        path = self.events({"accuracy": 1})
        for words in (["--rate", "1", "--speed", "1", path], ["--rate", "0", path], ["--speed", "-1", path], ["--batch", "0", path], ["--format", "xml", path],
                      ["--model", "a/b", path], ["--node", "", path], ["--node", HOSTILE, path], ["--node", "n" * 129, path], ["--endpoint", "nonsense", path],
                      [path, path]):
            with self.subTest(words=words):
                done = run("publish", *words)
                self.assertEqual((done.returncode, done.stdout), (64, b""))
                self.sentence(done.stderr)
        done = run("publish", f"{self.folder}/none")
        self.assertEqual(done.returncode, 66)
        self.sentence(done.stderr)


if __name__ == "__main__":
    unittest.main()
