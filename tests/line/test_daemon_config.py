"""driftd's configuration as a person meets it: several files, what is in force, and what is wrong with it."""
import glob
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from line import DRIFTD, ROOT


class Files(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="driftd-config.")
        self.addCleanup(shutil.rmtree, self.folder)
        self.main = os.path.join(self.folder, "driftd.yaml")
        self.more = os.path.join(self.folder, "conf.d")
        os.mkdir(self.more)
        self.write("driftd.yaml", "")

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def run_driftd(self, *arguments, folder=True, **environment):
        arguments = ["--config", self.main, *(["--conf-dir", self.more] if folder else []), *arguments]
        return subprocess.run([DRIFTD, *arguments], capture_output=True, text=True, timeout=60,
                              env={"PATH": os.environ["PATH"], **environment})

    def printed(self, **more):
        done = self.run_driftd("--print-config", **more)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def mistakes(self):
        done = self.run_driftd("--check")
        self.assertEqual(done.returncode, 78)
        return done.stderr.splitlines()

    def test_budgets_of_all_files_come_in_the_order_of_their_names(self):
        self.write("driftd.yaml", 'budgets: [{models: "*", window: 10}]\n')
        self.write("conf.d/20-b.yaml", "budgets: [{models: c}]\n")
        self.write("conf.d/10-a.yaml", "workers: 3\nbudgets:\n  - models: a\n    window: 20\n  - models: b\n")
        self.write("conf.d/.hidden.yaml", "nonsense: [")
        self.write("conf.d/readme.txt", "nonsense: [")
        self.write("conf.d/empty.yaml", "")
        text = self.printed()
        self.assertEqual(re.findall(r'- models: "(.*)"', text), ["*", "a", "b", "c"])
        self.assertRegex(text, r"workers: 3 +# " + re.escape(self.more) + r"/10-a\.yaml:1\n")
        self.assertRegex(text, r"window: 20 +# " + re.escape(self.more) + r"/10-a\.yaml:4\n")
        self.assertRegex(text, r"max_models: 100000 +# default\n")

    def test_a_file_alone_reads_no_folder(self):
        self.write("conf.d/a.yaml", "nonsense: 1\n")
        self.assertEqual(self.run_driftd("--check", folder=False).returncode, 0)
        self.assertEqual(self.run_driftd("--check").returncode, 78)

    def test_a_section_in_two_files_is_told_with_both_places(self):
        self.write("driftd.yaml", "\nlog: {level: debug}\nworkers: 2\n")
        self.write("conf.d/a.yaml", "log: {format: json}\nworkers: 2\n")
        self.assertEqual(self.mistakes(), [
            f"{self.more}/a.yaml:1:1: log: given in {self.main}:2 too; only budgets may stand in more than one file: keep it in one of them",
            f"{self.more}/a.yaml:2:1: workers: given in {self.main}:3 too; only budgets may stand in more than one file: keep it in one of them"])

    def test_mistakes_of_all_files_come_at_once_in_their_order(self):
        self.write("driftd.yaml", "wrokers: 2\n")
        self.write("conf.d/a.yaml", "metrics:\n  queue: -1\n")
        self.write("conf.d/b.yaml", "budgets:\n\t- models: a\n")
        os.symlink("/nowhere", os.path.join(self.more, "c.yaml"))
        told = self.mistakes()
        self.assertEqual([line.split(": ")[0] for line in told],
                         [f"{self.main}:1:1", f"{self.more}/a.yaml:2:10", f"{self.more}/b.yaml:2:1", f"{self.more}/c.yaml"])

    def test_limits_that_contradict_one_another_across_files_name_the_other_file(self):
        self.write("driftd.yaml", "budgets: [{models: a, kpis: {latency_ms: {max: 10}}}]\n")
        self.write("conf.d/a.yaml", "\n\nbudgets: [{models: a/b, kpis: {latency_ms: {min: 20}}}]\n")
        self.assertEqual(len(told := self.mistakes()), 1)
        self.assertIn(f"{self.more}/a.yaml:3:", told[0])
        self.assertIn(f"20 is above the max 10 of {self.main}:1,", told[0])

    def test_what_is_named_has_to_be_there(self):
        os.rmdir(self.more)
        self.assertEqual(self.mistakes(), [f"{self.more}: there is no such folder; an empty one is good"])
        os.mkdir(self.more)
        os.unlink(self.main)
        self.assertEqual(self.mistakes(), [f"{self.main}: there is no such file; an empty one is a valid configuration"])

    def test_what_is_printed_is_read_again_to_the_same(self):
        samples = sorted(glob.glob(os.path.join(ROOT, "conf", "**", "*.yaml"), recursive=True))
        self.assertGreaterEqual(len(samples), 4)
        self.write("all.yaml", EVERYTHING)
        for sample in [*samples, os.path.join(self.folder, "all.yaml")]:
            with self.subTest(sample):
                self.main = sample
                once = self.printed(folder=False, SECRET='a "b" \\ ${c} \u00e9 \u0085 #d')
                self.main = self.write("again.yaml", once)
                self.assertEqual(self.bare(self.printed(folder=False)), self.bare(once))

    @staticmethod
    def bare(text):
        return [line[:line.rindex(" # ")].rstrip() if " # " in line else line for line in text.splitlines()]

    def test_every_value_of_everything_is_printed_as_it_is(self):
        self.main = self.write("all.yaml", EVERYTHING)
        lines = [line.strip() for line in self.bare(self.printed(folder=False, SECRET="s ${t}"))]
        for line in ("queue: 7", "max_message: 3KiB", "max_future: 90s", "lease: 2500us", "max_run: 1d", "workers: 64",
                     'dir: "/tmp/s $${t}/x"', "concurrent: none", "gpu_hours_per_day: 0.25", "seed: 18446744073709551615",
                     'choose: "mine"', 'parameters: {"a": [1, 2.5, "x", null, true], "b": {"c": 3.0}}', "false_alarms: 1 per 12h",
                     "false_alarms: 1 per 100000 events", "event_rate: 2/s", "min: 0.1", "range: [0, 100]", "test: evidence",
                     "processed_fps: off", "drift: []", "fleet_false_alarms: 1 per 1d", '- models: "a/b?/*"'):
            self.assertIn(line, lines)
        self.assertTrue(any("detector: cusum" in line and "k: 0.25" in line and "direction: down" in line for line in lines))


EVERYTHING = """
metrics: {bind: ["tcp://127.0.0.1:1", "ipc:///tmp/a b"], queue: 7, max_message: 3072B, max_models: 12, max_future: 1.5m}
jobs: {bind: "tcp://[::1]:2", feedback: required, accept_within: 1s, lease: 2.5ms, max_run: 24h, attempts: 9, retry: {first: 1s, max: 2s}}
workers: 64
state: {dir: "/tmp/${SECRET}/x"}
log: {level: error, format: logfmt}
fleet_false_alarms: 1 per 1d
budgets:
  - models: "*"
    false_alarms: 2 per 1d
    event_rate: 120/m
    kpis:
      score: {min: 0.1, max: 5e3, over: ewma, range: [-1, 9000]}
      processed_fps: {min: 3}
  - models: a/b?/*
    window: 9
    min_events: 0
    false_alarms: 1 per 100000 events
    stale_after: 1ms
    kpis: {processed_fps: off, load: {max: 90, test: evidence, range: [0, 100]}}
    drift: []
  - models: c
    drift:
      - {metric: loss, detector: cusum, k: 0.25, direction: down}
      - {metric: loss, detector: cusum, mean: 1, sd: 2}
      - {metric: loss, detector: ewma, log: off}
      - {metric: loss, detector: shewhart}
      - {metric: loss, detector: page_hinkley}
      - {metric: loss, detector: adwin, direction: both}
      - {metric: loss, detector: ddm}
      - {metric: loss, detector: eddm}
      - {metric: loss, detector: hddm_a}
      - {metric: loss, detector: hddm_w}
      - {metric: loss, detector: kswin}
      - {metric: recall, detector: evidence, budget: 0.5}
      - {metric: loss, detector: psi, reference: 2000, window: 500}
      - {metric: loss, detector: js}
      - {metric: loss, detector: chi2}
      - {metric: loss, detector: ks}
      - {metric: loss, detector: wasserstein}
retraining:
  seed: 18446744073709551615
  give_up_after: 1
  choose: mine
  limits: {concurrent: none, per_model_per_day: 1, per_day: none, gpu_hours_per_day: 0.25, projects: {"a: b": {per_day: 3}, c: {}}}
  strategies:
    mine: {gpu_hours: 0.1, parameters: {a: [1, 2.5, "x", null, true], b: {c: 3.0}}}
    other: {}
"""

if __name__ == "__main__":
    unittest.main()
