"""Monitors survive: an orderly restart changes no decision, a killed daemon goes on from its last checkpoint, and a file
that is damaged, foreign or newer costs windows and nothing else."""
import glob
import os
import random
import signal
import sys
import unittest

import zmq

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import line  # noqa: E402

MODELS = [f"shop/detector{i}/v1" for i in range(6)]
BUDGETS = """
budgets:
  - models: "*"
    window: 32
    min_events: 20
    consecutive_failures: 12
    backoff: 300s
    recover_after: 8
    false_alarms: 1 per 100000 events
    kpis:
      accuracy: {min: 0.80, over: mean}
      latency_ms: {max: 400, over: p95}
    drift:
      - {metric: brightness, detector: cusum, reference: 100, direction: both}
      - {metric: brightness, detector: adwin}
      - {metric: contrast, detector: page_hinkley, threshold: 5}
"""
SETTINGS = dict(budgets=BUDGETS, jobs_more="accept_within: 30d")


def stream():
    """Events of all models by turns, the same each time. Each model falls ill in its own way and at its own time."""
    dice = random.Random(7)
    for i in range(400):
        for number, model in enumerate(MODELS):
            ill = i > 150 + 40 * number
            kind = number % 3
            yield model, dict(timestamp=1764000000 + i, node="n",
                              accuracy=min(1, dice.gauss(0.7 if ill and kind == 0 else 0.95, 0.03)),
                              latency_ms=dice.gauss(450 if ill and kind == 1 else 100, 5),
                              brightness=dice.gauss(3 if ill and kind == 2 else 0, 1), contrast=dice.random())


def send(daemon, publisher, events, sent):
    """Returns once the daemon has taken `sent` events since it started."""
    for model, members in events:
        publisher.send_multipart([b"metrics/" + model.encode(), line.event(**members)])
    daemon.wait_status(lambda status: status.get("events", 0) == sent)


def told(daemon):
    """What is known of each model and of each request, but for what only the clock decides."""
    answers = [daemon.ask("model", model=model) for model in MODELS]
    models = [{key: answer[key] for key in ("events", "failures", "kpis", "metrics", "episode", "episode_open",
                                            "request_live")} for answer in answers]
    requests = {}
    for request in daemon.ask("requests")["requests"]:
        whole = daemon.ask("request", request=request["id"])
        requests[request["model"]] = whole.get("trigger")
    return models, requests


def stop_with_checkpoint(test, daemon):
    test.assertEqual(daemon.stop(), 0)
    test.assertTrue(any(e["msg"].startswith("the monitors are kept") for e in daemon.events), daemon.lines[-5:])


class Restart(unittest.TestCase):
    def run_whole(self, workers):
        with line.Daemon(workers=workers, **SETTINGS) as daemon:
            events = list(stream())
            send(daemon, daemon.publisher(), events, len(events))
            return told(daemon)

    def run_broken(self, workers, breaks, others):
        events, done = list(stream()), 0
        with line.Daemon(workers=workers, **SETTINGS) as daemon:
            for at in [*breaks, len(events)]:
                publisher = daemon.publisher()
                send(daemon, publisher, events[done:at], at - done)
                publisher.close()
                if at < len(events):
                    stop_with_checkpoint(self, daemon)
                    with open(daemon.config) as file:
                        text = file.read()
                    daemon.write_config(text.replace(f"workers: {workers}", f"workers: {others}"))
                    workers, others = others, workers
                    daemon.start()
                    self.assertEqual(daemon.ask("status")["checkpoint"]["restored"], min(at, len(MODELS)))
                done = at
            return told(daemon)

    def test_an_orderly_restart_changes_no_decision(self):
        models, requests = self.run_whole("0")
        self.assertEqual(len(requests), len(MODELS))
        again_models, again_requests = self.run_broken("0", [700, 1100, 1101, 1500], "3")
        self.assertEqual(models, again_models)
        self.assertEqual(requests, again_requests)

    def test_a_trigger_comes_at_the_same_event(self):
        events = [(MODELS[0], dict(timestamp=1764000000 + i, accuracy=0.9 if i < 20 else 0.1)) for i in range(60)]
        with line.Daemon(**SETTINGS) as daemon:
            publisher = daemon.publisher()
            asked = 0
            while not daemon.ask("requests")["requests"]:
                send(daemon, publisher, events[asked:asked + 1], asked + 1)
                asked += 1
        with line.Daemon(**SETTINGS) as daemon:
            send(daemon, daemon.publisher(), events[:asked - 2], asked - 2)
            stop_with_checkpoint(self, daemon)
            daemon.start()
            publisher = daemon.publisher()
            send(daemon, publisher, events[asked - 2:asked - 1], 1)
            self.assertEqual(daemon.ask("requests")["requests"], [])
            self.assertEqual(daemon.ask("model", model=MODELS[0])["failures"], 11)
            send(daemon, publisher, events[asked - 1:asked], 2)
            daemon.wait_log(lambda e: e["msg"].startswith("drift: a budget is broken"))


class Checkpoints(unittest.TestCase):
    def files(self, daemon):
        return sorted(glob.glob(os.path.join(daemon.folder, "state", "monitors", "[0-9]*")))

    def test_a_killed_daemon_goes_on_from_its_last_checkpoint(self):
        events = list(stream())[:600]
        with line.Daemon(**SETTINGS) as daemon:
            publisher = daemon.publisher()
            send(daemon, publisher, events[:300], 300)
            answer = daemon.ask("checkpoint")
            self.assertTrue(answer["ok"], answer)
            self.assertEqual(answer["models"], len(MODELS))
            self.assertEqual(answer["bytes"], sum(map(os.path.getsize, self.files(daemon))))
            send(daemon, publisher, [(MODELS[0], dict(accuracy=0.9))], 301)
            self.assertEqual(daemon.ask("checkpoint")["models"], 1)
            self.assertEqual(daemon.ask("checkpoint")["models"], 0)
            self.assertEqual([os.path.splitext(name)[1] for name in self.files(daemon)], [".all", ".new"])
            status = daemon.ask("status")["checkpoint"]
            self.assertIsNone(status["error"])
            self.assertGreater(line.seconds(status["at"]), 1.7e9)
            send(daemon, publisher, events[300:], 601)
            before = self.files(daemon)
            unfinished = os.path.join(daemon.folder, "state", "monitors", "unfinished")
            daemon.kill()
            with open(unfinished, "wb") as file:  # what a checkpoint that was under way has left
                file.write(b"DRIFTMON" + bytes(1000))
            daemon.start()
            self.assertEqual(before, self.files(daemon))
            self.assertEqual(daemon.ask("model", model=MODELS[0])["events"], 51)
            self.assertEqual(daemon.ask("model", model=MODELS[1])["events"], 50)

    def spoil(self, change, models, sentence):
        with line.Daemon(**SETTINGS) as daemon:
            send(daemon, daemon.publisher(), list(stream())[:300], 300)
            stop_with_checkpoint(self, daemon)
            [path] = self.files(daemon)
            with open(path, "r+b") as file:
                change(file, os.path.getsize(path))
            daemon.start()
            self.assertEqual(daemon.ask("status")["checkpoint"]["restored"], models)
            daemon.wait_log(lambda e: sentence in e["msg"])
            self.assertTrue(daemon.ask("checkpoint")["ok"])
            return self.files(daemon)

    def test_damage_costs_one_model(self):
        def change(file, size):
            file.seek(size // 2)
            byte = file.read(1)
            file.seek(size // 2)
            file.write(bytes([byte[0] ^ 1]))
        self.spoil(change, len(MODELS) - 1, "is damaged")

    def test_a_damaged_head_costs_nothing(self):
        self.spoil(lambda file, size: file.write(b"X"), len(MODELS), "is damaged")

    def test_a_torn_file(self):
        self.spoil(lambda file, size: file.truncate(size // 2), len(MODELS) // 2, "is damaged")

    def test_a_foreign_file_is_put_aside(self):
        def change(file, size):
            file.write(b"SQLite format 3\0" * (size // 16 + 1))
        files = self.spoil(change, 0, "not one of driftd's monitors")
        self.assertEqual([name.endswith(".refused") for name in files].count(True), 1)

    def test_a_folder_that_cannot_be_opened_at_the_start_is_kept(self):
        with line.Daemon(**SETTINGS) as daemon:
            send(daemon, daemon.publisher(), list(stream())[:60], 60)
            stop_with_checkpoint(self, daemon)
            folder = os.path.join(daemon.folder, "state", "monitors")
            kept = self.files(daemon)
            os.rename(folder, folder + ".kept")
            with open(folder, "w"):  # no folder
                pass
            daemon.start()
            daemon.wait_log(lambda e: e["msg"].startswith("the folder of monitors cannot be opened"))
            os.unlink(folder)
            os.rename(folder + ".kept", folder)
            send(daemon, daemon.publisher(), list(stream())[:6], 6)
            self.assertTrue(daemon.ask("checkpoint")["ok"])
            files = self.files(daemon)
            self.assertEqual([name for name in files if name.endswith(".refused")], [name + ".refused" for name in kept])
            self.assertEqual(len(files), len(kept) + 1)
            daemon.kill()
            daemon.start()
            self.assertEqual(daemon.ask("status")["checkpoint"]["restored"], len(MODELS))

    def test_a_folder_that_cannot_be_written_stops_nothing(self):
        with line.Daemon(**SETTINGS) as daemon:
            send(daemon, daemon.publisher(), list(stream())[:60], 60)
            folder = os.path.join(daemon.folder, "state", "monitors")
            os.rmdir(folder)  # what was removed takes no files any more
            answer = daemon.ask("checkpoint")
            self.assertEqual((answer["ok"], answer.get("error")), (False, "checkpoint_failed"), answer)
            self.assertIn("cannot be written", daemon.ask("status")["checkpoint"]["error"])
            daemon.wait_log(lambda e: e.get("alarm") == "checkpoint_failed")
            self.assertEqual(daemon.stop(signal.SIGTERM), 0)


if __name__ == "__main__":
    unittest.main()
