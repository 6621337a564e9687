"""The configuration read again while the daemon runs: what changes, what stays, and what is refused."""
import json
import os
import re
import signal
import threading
import time
import unittest

import zmq

from line import BUDGETS, CONFIG, PATIENCE_S, Daemon, event, receive, receive_parts

TWO = """
budgets:
  - models: "shop/*"
    window: {window}
    min_events: 1
    consecutive_failures: {failures}
    backoff: {backoff}
    recover_after: 4
    kpis:
      accuracy: {{min: {least}, over: mean}}
  - models: "farm/*"
    window: 8
    min_events: 1
    consecutive_failures: 3
    backoff: 1h
    recover_after: 4
    kpis:
      accuracy: {{min: 0.80, over: mean}}
    drift:
      - {{metric: brightness, detector: psi, reference: 100, window: 50}}
"""
SHOP, FARM = "shop/detector/v1", "farm/detector/v1"


def budgets(window=4, failures=3, backoff="1h", least=0.80):
    return TWO.format(window=window, failures=failures, backoff=backoff, least=least)


class Reload(unittest.TestCase):
    def daemon(self, **more):
        self.live = Daemon(**more).__enter__()
        self.addCleanup(self.live.clean)
        with open(self.live.config) as file:
            self.text = file.read()
        self.publisher = self.live.publisher()
        return self.live

    def rewrite(self, old, new, count=1):
        assert old in self.text, old
        self.text = self.text.replace(old, new, count)
        self.live.write_config(self.text)

    def reload(self):
        return self.live.ask("reload")

    def send(self, model, count, **members):
        for _ in range(count):
            self.sent = getattr(self, "sent", 0) + 1
            self.publisher.send_multipart([b"metrics/" + model.encode(), event(node="n", **members)])
        return self.live.wait_status(lambda status: status.get("events", 0) >= self.sent)

    def model(self, name):
        return self.live.ask("model", model=name)

    def wait_model(self, name, member, value):
        """Until word of a request has come back from its keeper."""
        until = time.monotonic() + PATIENCE_S
        while self.model(name)[member] != value:
            self.assertLess(time.monotonic(), until, self.model(name))

    def test_other_budgets_are_in_force_at_once_and_everything_else_stays(self):
        self.daemon(budgets=budgets())
        pid = self.live.process.pid
        self.send(SHOP, 4, accuracy=0.9)
        self.send(FARM, 2, accuracy=0.7)
        before = self.model(FARM)
        self.rewrite("min: 0.8,", "min: 0.95,")
        answer = self.reload()
        self.assertTrue(answer["ok"], answer)
        self.assertEqual((answer["models"], answer["changed"], answer["budgets"]), (2, 1, 2))
        self.assertEqual(self.live.process.pid, pid)
        self.assertIsNone(self.live.process.poll())
        after = self.model(FARM)
        for member in ("failures", "episode", "events", "kpis", "metrics", "settings", "state"):
            self.assertEqual(after[member], before[member], member)
        self.assertEqual(self.model(SHOP)["metrics"][0]["n"], 4)
        self.send(SHOP, 3, accuracy=0.9)
        self.wait_model(SHOP, "state", "retraining")
        status = self.live.ask("status")["reload"]
        self.assertEqual((status["ok"], status["errors"]), (True, []))
        self.assertIsNotNone(status["at"])


    def test_a_promise_that_no_threshold_keeps_is_told_and_comes_back(self):
        gap = "no threshold of cusum with these parameters keeps to one false alarm in 60 days where more than 10 values a second"
        chart = "      - {{metric: brightness, detector: cusum, reference: 100}}\n"
        self.daemon(budgets=budgets() + chart.format())
        self.live.wait_log(lambda event: gap in event.get("msg", ""))
        self.send(FARM, 120, brightness=0.5)
        self.rewrite("    drift:", "    event_rate: 1/s\n    drift:")
        answer = self.reload()
        self.assertEqual((answer["ok"], answer.get("warnings")), (True, None))
        self.assertEqual([rule["taken"] for rule in self.model(FARM)["rules"]], [120, 120])
        self.rewrite("    event_rate: 1/s\n", "")
        self.assertIn(gap, self.reload()["warnings"][0])
        self.assertEqual(self.model(FARM)["rules"][1]["taken"], 120)

    def test_what_is_wrong_is_told_whole_and_the_old_configuration_stays(self):
        self.daemon(budgets=budgets())
        events = self.live.socket(zmq.SUB, "events")
        events.subscribe("driftd.reload")
        self.wait_subscribed(events)
        self.send(SHOP, 2, accuracy=0.7)
        good = self.text
        self.rewrite("window: 4", "windw: 4")
        self.rewrite("failures: 3", "failures: 0")
        answer = self.reload()
        self.assertEqual((answer["ok"], answer["error"]), (False, "configuration"))
        self.assertEqual(len(answer["errors"]), 2)
        self.assertRegex(answer["errors"][0], r"driftd\.yaml:\d+:\d+: budgets\[\]\.windw: unknown key; did you mean window\?")
        self.assertRegex(answer["errors"][1], r"driftd\.yaml:\d+:\d+: budgets\[\]\.consecutive_failures: 0 is out of range")
        self.assertIn("(and 1 more)", answer["message"])
        status = self.live.ask("status")["reload"]
        self.assertEqual((status["ok"], status["errors"]), (False, answer["errors"]))
        topic, body = receive_parts(events)
        told = json.loads(body)
        self.assertEqual((topic, told["type"]), (b"driftd.reload", "driftd.reload"))
        self.assertEqual((told["data"]["ok"], told["data"]["errors"]), (False, answer["errors"]))
        self.live.wait_log(lambda line: "windw" in line["msg"])
        self.assertEqual(self.model(SHOP)["settings"]["window"], 4)
        self.send(SHOP, 1, accuracy=0.7)
        self.wait_model(SHOP, "episode", 1)
        self.live.write_config(good)
        self.assertTrue(self.reload()["ok"])
        self.assertEqual(self.live.ask("status")["reload"]["errors"], [])
        self.assertTrue(json.loads(receive_parts(events)[1])["data"]["ok"])

    def wait_subscribed(self, events):
        """Reloads until an event of it arrives: a subscription says by nothing else that it has."""
        while True:
            self.assertTrue(self.reload()["ok"])
            if events.poll(100):
                receive_parts(events)
                while events.poll(100):
                    receive_parts(events)
                return

    def test_a_missing_file_is_refused_too(self):
        self.daemon()
        os.unlink(self.live.config)
        answer = self.reload()
        self.assertEqual(answer["errors"], [self.live.config + ": there is no such file; an empty one is a valid configuration"])

    def test_what_needs_a_restart_is_refused_with_that_sentence(self):
        self.daemon()
        good, bound = self.text, self.live.endpoints["metrics"] + "]"
        changes = [
            ("metrics.bind", bound, "ipc://%s/other]" % self.live.folder),
            ("metrics.connect", bound, bound + ", connect: [ipc://%s/node]" % self.live.folder),
            ("metrics.queue", bound, bound + ", queue: 10"),
            ("jobs.bind", "/jobs]", "/jobs2]"),
            ("jobs.feedback", "/jobs]", "/jobs], feedback: none"),
            ("feedback.bind", "/feedback]", "/feedback2]"),
            ("events.bind", "/events]", "/events2]"),
            ("control.bind", "/control}", "/control2}"),
            ("workers", "workers: 0", "workers: 2"),
            ("state.dir", "/state}", "/state2}"),
            ("log.format", "format: json", "format: logfmt"),
        ]
        for key, old, new in changes:
            with self.subTest(key):
                self.text = good
                self.rewrite(old, new)
                answer = self.reload()
                self.assertEqual((answer["ok"], answer["error"]), (False, "needs_restart"), answer)
                self.assertRegex(answer["errors"][0],
                                 r"driftd\.yaml:\d+:\d+: " + re.escape(key) + r": a change from .* to .* needs a restart")
                self.assertEqual(len(answer["errors"]), 1)
        self.text = good
        self.rewrite(bound, bound + ", max_message: 64MiB")
        self.assertIn("metrics.max_message: a change to more than 4 times the 1048576 bytes", self.reload()["message"])

    def test_of_a_model_whose_settings_changed_stays_what_can_stay(self):
        self.daemon(budgets=budgets())
        self.send(SHOP, 5, accuracy=0.7, latency_ms=5)
        self.send(FARM, 2, accuracy=0.7)
        self.wait_model(SHOP, "episode", 1)
        before = self.model(SHOP)
        self.assertEqual(before["failures"], 2)
        self.rewrite("backoff: 1h", "backoff: 2h")
        self.assertEqual(self.reload()["changed"], 1)
        after = self.model(SHOP)
        self.assertEqual((after["failures"], after["metrics"], after["kpis"]), (2, before["metrics"], before["kpis"]))
        self.assertGreater(after["backoff_left_s"], 3600)
        self.rewrite("window: 4", "window: 6")
        self.assertEqual(self.reload()["changed"], 1)
        after = self.model(SHOP)
        self.assertEqual([metric["n"] for metric in after["metrics"]], [0, 0])
        self.assertEqual((after["failures"], after["episode"], after["events"]), (0, 1, 5))
        self.assertEqual(after["metrics"][0]["recent"], before["metrics"][0]["recent"])
        self.rewrite("over: mean", "over: median")
        self.send(SHOP, 3, accuracy=0.7)
        self.assertTrue(self.reload()["ok"])
        after = self.model(SHOP)
        self.assertEqual(after["kpis"][0]["over"], "median")
        self.assertAlmostEqual(after["kpis"][0]["observed"], 0.7, 6)
        self.assertEqual(self.model(FARM)["failures"], 2)

    def test_drift_rules_that_stay_go_on_and_others_begin(self):
        self.daemon(budgets=budgets())
        self.rewrite("drift:", "drift:\n      - {metric: loss, detector: page_hinkley}")
        self.assertEqual(self.reload()["ok"], True)
        self.send(FARM, 30, accuracy=0.9, brightness=0.5)
        self.rewrite("page_hinkley}", "page_hinkley, direction: up}")
        self.assertEqual(self.reload()["changed"], 1)
        self.send(FARM, 20, accuracy=0.9, brightness=0.5)
        self.assertEqual(self.model(FARM)["events"], 50)

    def test_limits_and_times_hold_for_what_is_live(self):
        self.daemon(budgets=budgets(), more="retraining: {limits: {concurrent: 1}}")
        trainer = self.live.socket(zmq.PULL, "jobs", rcvhwm=10)
        self.send(SHOP, 3, accuracy=0.1)
        first = json.loads(receive(trainer))["data"]
        self.assertEqual(first["lease_s"], 300)
        self.send(FARM, 3, accuracy=0.1)
        self.live.wait_status(lambda status: status["requests"]["PENDING"] == 1)
        held = [request for request in self.live.ask("requests")["requests"] if request["state"] == "PENDING"]
        self.assertEqual(held[0]["held_by"], "concurrent")
        self.rewrite("concurrent: 1}}", "concurrent: 2}, choose: mine, strategies: {mine: {gpu_hours: 1, parameters: {a: 2}}}}")
        self.rewrite("/jobs]", "/jobs], lease: 7s, accept_within: 11s")
        self.assertTrue(self.reload()["ok"])
        second = json.loads(receive(trainer))["data"]
        self.assertEqual((second["model"]["project"], second["lease_s"], second["accept_within_s"]), ("farm", 7, 11))
        self.assertEqual((second["strategy"], second["parameters"]), ("mine", {"a": 2}))

    def test_the_gates_move(self):
        self.daemon(budgets=budgets())
        self.send(SHOP, 1, accuracy=0.9)
        bound = self.live.endpoints["metrics"] + "]"
        self.rewrite(bound, bound + ", max_message: 256B, max_models: 1")
        self.assertTrue(self.reload()["ok"])
        self.publisher.send_multipart([b"metrics/" + FARM.encode(), event(accuracy=0.9)])
        self.publisher.send_multipart([b"metrics/" + SHOP.encode(), event(accuracy=0.9, node="x" * 300)])
        self.live.wait_status(lambda status: status["dropped"] == {"too_many_models": 1, "too_large": 1})
        self.rewrite("max_message: 256B, max_models: 1", "max_future: 100d")
        self.assertTrue(self.reload()["ok"])
        self.send(FARM, 1, accuracy=0.9, timestamp=time.time() + 50 * 86400)
        self.assertEqual(self.model(FARM)["events"], 1)

    def test_the_log_level_follows_the_file(self):
        self.daemon()
        self.rewrite("level: debug", "level: error")
        self.assertTrue(self.reload()["ok"])
        lines = len(self.live.lines)
        self.assertTrue(self.reload()["ok"])
        self.rewrite("level: error", "level: info")
        self.assertTrue(self.reload()["ok"])
        self.live.wait_log(lambda line: "was read again and is in force" in line["msg"])
        said = [line for line in self.live.lines[lines:] if "is in force" in line]
        self.assertEqual(len(said), 1)

    def test_sighup_reloads_and_says_so(self):
        self.daemon()
        self.live.process.send_signal(signal.SIGHUP)
        self.live.wait_log(lambda line: line["msg"] == "the configuration was read again and is in force")
        self.rewrite("window: 4", "window: none")
        self.live.process.send_signal(signal.SIGHUP)
        self.live.wait_log(lambda line: "mend it and reload" in line["msg"])
        self.live.wait_log(lambda line: "budgets[].window" in line["msg"])
        self.assertEqual(self.live.stop(), 0)

    def test_many_at_once_are_all_answered(self):
        self.daemon(budgets=budgets())
        sockets = [self.live.socket(zmq.REQ, "control") for _ in range(20)]
        for socket in sockets:
            socket.send_json({"do": "reload"})
        for socket in sockets:
            self.assertTrue(json.loads(receive(socket))["ok"])
        self.live.process.send_signal(signal.SIGHUP)
        for socket in sockets:
            socket.send_json({"do": "reload"})
        self.assertEqual(self.live.stop(), 0)  # with some of them under way

    def test_under_load_nothing_is_lost_and_unchanged_models_do_not_notice(self):
        for workers in ("0", "2"):
            with self.subTest(workers=workers):
                self.under_load(workers, int(os.environ.get("RELOADS", "40")))

    def under_load(self, workers, reloads):
        self.daemon(budgets=budgets(window=64), workers=workers, metrics_more="queue: 1000000")
        pid, sent, stop = self.live.process.pid, [0], threading.Event()
        self.send(FARM, 3, accuracy=0.1)  # an episode, with a request that waits for a trainer
        self.wait_model(FARM, "episode", 1)
        before = self.model(FARM)

        def publish():
            shops = [b"metrics/shop/m%d/v1" % i for i in range(50)]
            counts = [0] * len(shops)
            while not stop.is_set():
                for i, topic in enumerate(shops):
                    self.publisher.send_multipart([topic, event(node="n", boot="b", seq=counts[i], accuracy=0.9)])
                    counts[i] += 1
                sent[0] += len(shops)
                if sent[0] % 1000 == 0:
                    stop.wait(0.001)  # the sender leaves the daemon a little time

        thread = threading.Thread(target=publish)
        thread.start()
        try:
            for i in range(reloads):
                good = self.text
                if i % 2:
                    self.rewrite("window: 64", "window: 0")
                else:
                    self.rewrite("consecutive_failures: 3", "consecutive_failures: %d" % (3 + i % 4))
                answer = self.reload()
                self.assertEqual(answer["ok"], i % 2 == 0, answer)
                self.text = good
        finally:
            stop.set()
            thread.join()
        status = self.live.wait_status(lambda status: status.get("events", 0) >= sent[0] + 3)
        self.assertEqual((status["events"], status["lost"], status["dropped"]), (sent[0] + 3, {}, {}))
        self.assertEqual(self.live.process.pid, pid)
        self.assertIsNone(self.live.process.poll())
        after = self.model(FARM)
        for member in ("failures", "episode", "episode_open", "request_live", "events", "kpis", "metrics", "settings"):
            self.assertEqual(after[member], before[member], member)
        self.assertEqual(self.model("shop/m0/v1")["metrics"][0]["n"], 64)
        self.assertEqual(self.live.stop(), 0)
        self.sent = 0

    def test_hours_of_a_day_that_no_attempt_fits_into_are_told(self):
        self.daemon(more="retraining: {limits: {gpu_hours_per_day: 2}, strategies: {a: {gpu_hours: 3}}}\n")
        told = "retraining.limits.gpu_hours_per_day, 2, is less than every strategy costs (a, the cheapest, 3): every request waits for ever"
        self.live.wait_log(lambda event: event.get("msg") == told)
        self.assertEqual(self.reload()["warnings"], [told])
        self.rewrite("gpu_hours_per_day: 2", "gpu_hours_per_day: 3")
        self.assertNotIn("warnings", self.reload())


if __name__ == "__main__":
    unittest.main()
