"""Every command and every option of driftc and driftd is shown by a test: the one that is named here, or one of this file.

The commands are those of `driftc help`, the options those of `driftc help COMMAND`, from which completion is made as well. One
without an entry fails here. An entry was tried: with the option ignored, the test that it names fails.
"""
import importlib
import json
import os
import re
import subprocess
import unittest

import effects
import line

DRIFTC = effects.DRIFTC
COMMON = {"json": "test_each_command_gives_json", "socket": "test_each_command_gives_json",
          "timeout": "test_driftc_control.Failing.test_no_answer_in_time", "help": "test_the_table_is_whole",
          "usage": "argp", "version": "test_driftc_control.Helping.test_version"}
SHOWN_BY = {
    "status": "test_driftc_control.Asking.test_each_command_asks_and_shows",
    "models --limit": "test_driftc_control.Asking.test_a_list_that_was_cut_has_those_that_need_somebody",
    "models --state": "test_driftc_control.Asking.test_each_command_asks_and_shows",
    "model": "test_driftc_control.Asking.test_each_command_asks_and_shows",
    "explain --conf-dir": "test_a_folder_of_files",
    "explain --config": "test_explain.Explain.test_before_and_after_the_first_events",
    "requests --limit": "test_driftc_control.Asking.test_each_command_asks_and_shows",
    "requests --state": "test_driftc_control.Asking.test_each_command_asks_and_shows",
    "request": "test_driftc_control.Asking.test_each_command_asks_and_shows",
    "rejects": "test_driftc_control.Asking.test_each_command_asks_and_shows",
    "retrain --reason": "test_driftc_control.Asking.test_each_command_asks_and_shows",
    "cancel --reason": "test_reasons_are_kept",
    "requeue --reason": "test_driftc_control.Asking.test_each_command_asks_and_shows",
    "silence --for": "test_daemon_silence.Silence.test_by_command",
    "silence --reason": "test_reasons_are_kept",
    "unsilence": "test_daemon_silence.Silence.test_by_command",
    "checkpoint": "test_each_command_gives_json",
    "check --no-env": "test_driftc_control.Checking.test_secrets_may_be_absent",
    "reload": "test_driftc_live.Live.test_reload_says_every_mistake",
    "log-level": "test_driftc_live.Live.test_log_level",
    "watch --cert": "test_daemon_curve.Curve.test_driftc_speaks_curve",
    "watch --server-key": "test_daemon_curve.Curve.test_driftc_speaks_curve",
    "watch --count": "test_driftc_live.Live.test_watch_of_a_pattern_leaves_others_out_and_ends_when_told",
    "watch --endpoint": "test_watch_an_endpoint",
    "top --count": "test_top_draws_as_often_as_it_is_told",
    "top --every": "test_top_draws_as_often_as_it_is_told",
    "publish --batch": "test_driftc_publish.Publish.test_a_batch_that_is_too_large_leaves_in_parts",
    "publish --cert": "test_daemon_curve.Curve.test_driftc_speaks_curve",
    "publish --endpoint": "test_driftc_backtest.Recorded.test_publish_reads_a_recording",
    "publish --format": "test_driftc_publish.Publish.test_msgpack",
    "publish --server-key": "test_daemon_curve.Curve.test_driftc_speaks_curve",
    "publish --model": "test_driftc_publish.Publish.test_a_batch_that_is_too_large_leaves_in_parts",
    "publish --node": "test_driftc_publish.Publish.test_batches_of_many_models",
    "publish --rate": "test_driftc_publish.Publish.test_rate",
    "publish --speed": "test_driftc_publish.Publish.test_speed",
    "trainer --once": "test_driftc_trainer.Failing.test_a_command_that_is_not_there",
    "trainer --cert": "test_daemon_curve.Curve.test_driftc_speaks_curve",
    "trainer --exec": "test_driftc_trainer.Working.test_a_job_from_offer_to_done",
    "trainer --feedback-endpoint": "test_driftc_trainer.Working.test_a_job_from_offer_to_done",
    "trainer --grace": "test_driftc_trainer.Working.test_wrong_usage",
    "trainer --jobs-endpoint": "test_driftc_trainer.Working.test_a_job_from_offer_to_done",
    "trainer --server-key": "test_daemon_curve.Curve.test_driftc_speaks_curve",
    "trainer --name": "test_driftc_trainer.Working.test_a_job_from_offer_to_done",
    "trainer --no-retry": "test_driftc_trainer.Failing.test_no_retry",
    "record --for": "test_record_ends_by_itself",
    "record --events": "test_driftc_backtest.Recorded.test_a_recording_is_gone_on_with",
    "backtest --conf-dir": "test_a_folder_of_files",
    "backtest --config": "test_driftc_backtest.Backtest.test_agrees_with_the_rule_written_anew",
    "backtest --labels": "test_driftc_backtest.Backtest.test_labels",
    "backtest --model": "test_driftc_backtest.Backtest.test_files_without_models_and_several_files",
    "detect --set": "test_driftc_detect.Detect.test_every_detector_runs",
    "detect --warnings": "test_driftc_detect.Detect.test_warnings",
    "arl --arl0": "test_driftc_detect.Arl.test_cusum",
    "arl --shift": "test_driftc_detect.Arl.test_cusum",
    "arl --set": "test_driftc_detect.Arl.test_cusum",
    "keygen --file": "test_daemon_curve.Curve.test_driftc_speaks_curve",
    "keygen --project": "test_daemon_curve.Curve.test_keygen",
    "keygen --role": "test_daemon_curve.Curve.test_keygen",
    "keygen --server": "test_daemon_curve.Curve.test_driftc_speaks_curve",
    "help": "test_the_table_is_whole",
    "driftd --config": "test_daemon_start.Configuration.test_a_missing_file",
    "driftd --conf-dir": "test_daemon_config.Files.test_a_file_alone_reads_no_folder",
    "driftd --check": "test_daemon_start.Configuration.test_five_mistakes_are_five_lines",
    "driftd --no-env": "test_daemon_start.Configuration.test_variables",
    "driftd --print-config": "test_daemon_config.Files.test_every_value_of_everything_is_printed_as_it_is",
    "driftd --version": "test_daemon_start.Arguments.test_version_and_help",
    "driftd --help": "test_daemon_start.Arguments.test_version_and_help",
    "driftd --usage": "argp",
}


def help_of(*words):
    return subprocess.run(words, capture_output=True, text=True, timeout=line.PATIENCE_S, check=True).stdout


def options_of(text):
    return set(re.findall(r"^ +(?:-., )?--([a-z0-9-]+)", text, re.M))


class EveryCommand(unittest.TestCase):
    def expected(self):
        commands = re.findall(r"^  ([a-z][a-z-]*) ", help_of(DRIFTC, "help"), re.M)
        self.assertGreater(len(commands), 25)
        for command in commands:
            options = options_of(help_of(DRIFTC, "help", command))
            self.assertLessEqual(set(COMMON), options, command)
            yield from (f"{command} --{option}" for option in options - set(COMMON))
            if options == set(COMMON):
                yield command
        yield from (f"driftd --{option}" for option in options_of(help_of(line.DRIFTD, "--help")))

    def test_the_table_is_whole(self):
        self.assertEqual(sorted(self.expected()), sorted(SHOWN_BY))

    def test_the_tests_that_it_names_are_there_and_use_the_option(self):
        for shown, test in [*SHOWN_BY.items(), *COMMON.items()]:
            with self.subTest(shown):
                if test == "argp":
                    continue
                if "." not in test:
                    self.assertTrue(hasattr(self, test))
                    continue
                module, case, name = test.split(".")
                module = importlib.import_module(module)
                self.assertTrue(hasattr(getattr(module, case), name), test)
                with open(module.__file__, encoding="utf-8") as file:
                    self.assertIn(shown.rsplit(" ", 1)[-1].removeprefix("driftd "), file.read())

    def run_driftc(self, daemon, *words):
        done = subprocess.run([DRIFTC, "--socket", daemon.endpoints["control"], *words], capture_output=True, text=True,
                              timeout=line.PATIENCE_S)
        self.assertEqual(done.returncode, 0, (words, done.stderr))
        return done.stdout

    def test_each_command_gives_json(self):
        """Each command against the daemon, in an order in which each has something to do."""
        with effects.running({"budgets": [effects.budget(backoff="1h")]}) as daemon:
            effects.publish(daemon, 0.9)
            request = effects.retrain(self, daemon)
            for name, text in (("e.jsonl", '{"model": "shop/detector/v1", "timestamp": 1764000000, "accuracy": 0.9}\n'),
                               ("n.txt", "0\n" * 600 + "9\n" * 20)):
                with open(f"{daemon.folder}/{name}", "w") as file:
                    file.write(text)
            events, numbers = f"{daemon.folder}/e.jsonl", f"{daemon.folder}/n.txt"
            words = {
                "status": [], "models": [], "model": [effects.MODEL], "explain": [effects.MODEL], "requests": [],
                "request": [request], "rejects": [], "silence": ["shop", "--for", "1h"], "unsilence": [], "checkpoint": [],
                "check": [daemon.config], "reload": [], "log-level": ["debug"], "top": ["--count", "1"],
                "publish": ["--endpoint", daemon.endpoints["metrics"], events],
                "backtest": ["--config", daemon.config, events], "detect": ["cusum", "--set", "mean=0", "--set", "sd=1", numbers],
                "arl": ["cusum"], "keygen": ["camera", "--file", f"{daemon.folder}/k"], "cancel": [request],
                "requeue": [request], "retrain": ["shop/other/v1"], "record": ["--for", "0.2", f"{daemon.folder}/r.jsonl"],
            }
            for command, arguments in words.items():
                with self.subTest(command):
                    told = self.run_driftc(daemon, "--json", command, *arguments)
                    self.assertTrue(told)
                    for text in told.splitlines():
                        self.assertIsInstance(json.loads(text), dict)
            # These follow what happens; test_driftc_live and test_driftc_trainer read their lines. help has no JSON.
            self.assertEqual({shown.split(" ")[0] for shown in SHOWN_BY} - set(words), {"watch", "trainer", "help", "driftd"})

    def test_reasons_are_kept(self):
        with effects.running() as daemon:
            request = effects.retrain(self, daemon)
            self.run_driftc(daemon, "cancel", request, "--reason", "wrong data")
            self.assertIn("wrong data", daemon.ask("request", request=request)["history"][-1]["why"])
            self.run_driftc(daemon, "silence", "shop", "--for", "1h", "--reason", "cameras are moved")
            self.assertEqual(daemon.ask("status")["silences"][0]["reason"], "cameras are moved")

    def test_top_draws_as_often_as_it_is_told(self):
        """Fifty drawings: with two seconds between them, which is the default, they would take longer than anybody waits here."""
        with effects.running() as daemon:
            self.assertEqual(len(self.run_driftc(daemon, "--json", "top", "--every", "0.1", "--count", "50").splitlines()), 50)

    def test_a_folder_of_files(self):
        """backtest and explain judge by the same files as driftd does."""
        with effects.prepared() as daemon:
            os.mkdir(f"{daemon.folder}/conf.d")
            for name, text in (("conf.d/budgets.yaml", json.dumps({"budgets": [effects.budget(window=7)]})),
                               ("e.jsonl", '{"model": "shop/detector/v1", "timestamp": 1764000000, "accuracy": 0.5}\n')):
                with open(f"{daemon.folder}/{name}", "w") as file:
                    file.write(text)
            files = ["--config", daemon.config, "--conf-dir", f"{daemon.folder}/conf.d"]
            replayed = json.loads(self.run_driftc(daemon, "--json", "backtest", *files, f"{daemon.folder}/e.jsonl"))
            self.assertEqual(len(replayed["triggers"]), 1)
            explained = json.loads(self.run_driftc(daemon, "--json", "explain", *files, effects.MODEL))
            place = [setting for setting in explained["settings"] if setting["key"] == "window"][0]
            self.assertEqual(place["file"], f"{daemon.folder}/conf.d/budgets.yaml")

    def test_record_ends_by_itself(self):
        with effects.running() as daemon:
            self.run_driftc(daemon, "record", "--for", "0.1", f"{daemon.folder}/r.jsonl")
            self.assertTrue(os.path.exists(f"{daemon.folder}/r.jsonl"))

    def test_watch_an_endpoint(self):
        """Where it is said where the events are, no daemon is asked for them."""
        with effects.running() as daemon:
            watch = subprocess.Popen([DRIFTC, "--socket", "ipc:///nowhere/at/all", "--json", "watch", "--count", "1", "--endpoint",
                                      daemon.endpoints["events"]], stdout=subprocess.PIPE)
            self.addCleanup(watch.stdout.close)
            self.addCleanup(watch.kill)
            deadline = line.time.monotonic() + line.PATIENCE_S
            while watch.poll() is None and line.time.monotonic() < deadline:
                daemon.ask("reload")  # nothing else says that a subscription has arrived
            self.assertEqual(watch.returncode, 0)
            self.assertEqual(json.loads(watch.stdout.readline())["type"], "driftd.reload")


if __name__ == "__main__":
    unittest.main()
