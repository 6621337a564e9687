#!/usr/bin/env python3
"""Random lives of models, told to the library's monitor and to an oracle that was written from the documents alone:
both must decide the same at every event."""
import math
import os
import pathlib
import random
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "oracle"))
import monitor as oracle  # noqa: E402

REPLAY = ROOT / os.environ.get("BUILD", "build") / "tests" / "story" / "story_monitor_replay"
MS = 1_000_000
STREAMS = 2000
METRICS = ["accuracy", "latency_ms", "recall", "own.one"]
OVERS = ["last", "mean", "mean", "min", "max", "median", "p90", "p95", "p99", "ewma"]


def text(thousandths):
    return f"{thousandths // 1000}.{thousandths % 1000:03d}"


class Life:
    """One random life: its lines for the library, and the oracle's answers to those that are answered."""

    def __init__(self, seed):
        self.draw = random.Random(seed)
        self.lines, self.answers = [], []
        self.now = 0
        self.ended_at = None
        self.settle()
        for _ in range(self.draw.randint(20, 90)):
            self.step()

    def settle(self):
        draw = self.draw
        settings = [draw.choice([1, 2, 3, 4, 8, 20]), draw.choice([0, 1, 1, 2, 5, 9]), draw.choice([1, 2, 3, 3, 5]),
                    draw.choice([1, 2, 3, 6]), draw.choice([0, 20, 200, 1000, 10000]) * MS,
                    draw.choice([0, 300, 5000]) * MS]
        budgets = []
        for metric in draw.sample(METRICS[:3], draw.randint(0, 3)) + ([METRICS[0]] if draw.random() < 0.1 else []):
            over = draw.choice(OVERS)
            off_grid = 7 if over == "ewma" else 0
            low = draw.choice([600, 700, 800]) + off_grid if draw.random() < 0.7 else None
            high = draw.choice([800, 850, 950]) + off_grid if low is None or draw.random() < 0.2 else None
            budgets.append(oracle.Budget(metric, over, low, high))
        self.monitor = oracle.Monitor(*settings, budgets)
        self.weighted = draw.random() < 0.4
        self.carries = {metric: draw.choice([1, 1, 0.8, 0.2]) for metric in METRICS}
        self.level = {metric: draw.choice([500, 700, 800, 900]) for metric in METRICS}
        self.lines.append("settings " + " ".join(map(str, settings)))
        for b in budgets:
            limits = [text(limit) if limit is not None else "-" for limit in (b.low, b.high)]
            self.lines.append(f"kpi {b.metric} {b.over} {limits[0]} {limits[1]}")
        if draw.random() < 0.2:  # a restart: the store tells
            self.notice("triggered", -draw.randint(0, 2000) * MS)
            self.notice(draw.choice(["live", "ended"]), -draw.randint(0, 1000) * MS)

    def notice(self, what, at):
        self.lines.append(f"{what} {at}")
        if what == "triggered":
            self.monitor.triggered(at)
        else:
            self.monitor.request(what == "live", at)

    def step(self):
        draw = self.draw
        self.now += draw.choice([0, 1, 10, 10, 10, 50, 100, 100, 400, 1000, 6000]) * MS
        if self.ended_at is not None and self.now >= self.ended_at:
            self.notice("ended", self.ended_at)
            self.ended_at = None
        if draw.random() < 0.02:  # another thread's news: late, early, or told before
            self.notice(draw.choice(["live", "ended", "triggered"]), self.now + draw.randint(-500, 5) * MS)
        if draw.random() < 0.1:
            self.level[draw.choice(METRICS)] = draw.choice([500, 700, 800, 900])
        self.event()
        if draw.random() < 0.3:
            at = self.now + draw.choice([0, 1, 20, 200, 299, 300, 1000]) * MS
            self.lines.append(f"look {at}")
            self.answers.append(("look", self.monitor.look(at)))

    def event(self):
        draw = self.draw
        n = draw.choice([1, 1, 2, 3, 10, 64]) if self.weighted else 1
        timestamp = draw.choice([None, None, 0.0, oracle.EPOCH_S + self.now / 1e9 + draw.choice([-2.5, 0.5])])
        metrics = [(m, max(0, self.level[m] + draw.choice([-100, -50, 0, 0, 0, 50, 100])))
                   for m in METRICS if draw.random() < self.carries[m]]
        if draw.random() < 0.2:
            draw.shuffle(metrics)
        said = self.monitor.add(self.now, n, timestamp, metrics)
        values = "".join(f" {name}={text(value)}" for name, value in metrics)
        self.lines.append(f"event {self.now} {n} {'-' if timestamp is None else repr(timestamp)}{values}")
        self.answers.append(("event", (said, self.monitor.failures, self.monitor.episode)))
        if said["trigger"] and self.ended_at is None and draw.random() < 0.7:
            self.notice("live", self.now)
            self.ended_at = self.now + draw.choice([1, 50, 300, 2000]) * MS
        elif (said["held"] or said["recovered"]) and self.ended_at is not None and draw.random() < 0.5:
            self.notice("ended", self.now)  # cancelled
            self.ended_at = None


def close(got, expected):
    if math.isnan(expected):
        return math.isnan(got)
    return abs(got - expected) <= 1e-6 * max(abs(expected), 1e-3)


class MonitorOracle(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lives, cls.too_close = [], 0
        for seed in range(STREAMS):
            try:
                cls.lives.append((seed, Life(seed)))
            except oracle.TooClose:
                cls.too_close += 1
        lines = "\n".join("\n".join(life.lines) for _, life in cls.lives) + "\n"
        done = subprocess.run([str(REPLAY), "--replay"], input=lines.encode(), stdout=subprocess.PIPE, check=True)
        printed = done.stdout.decode().splitlines()
        cls.printed = {}
        at = 0
        for seed, life in cls.lives:
            cls.printed[seed] = printed[at:at + len(life.answers)]
            at += len(life.answers)
        assert at == len(printed), (at, len(printed))

    def answers(self, kind):
        for seed, life in self.lives:
            for number, (line, (what, expected)) in enumerate(zip(self.printed[seed], life.answers)):
                if what == kind:
                    yield f"seed {seed}, answer {number}: {line}", line.split(" "), expected

    def test_decisions(self):
        for where, words, (said, failures, episode) in self.answers("event"):
            flags = "".join(str(int(bool(said[flag]))) for flag in ("began", "trigger", "recovered", "held"))
            expected = [said["evaluation"], str(failures), flags, str(int(episode))]
            self.assertEqual(words[:4], expected, where)

    def test_triggers(self):
        for where, words, (said, _, _) in self.answers("event"):
            t = said["trigger"]
            if t is None:
                continue
            self.assertEqual(words[4], t["metric"], where)
            for word, name in zip(words[5:7], ("observed", "limit")):
                self.assertTrue(close(float(word), t[name]), f"{name} {t[name]}: {where}")
            self.assertAlmostEqual(float(words[7]), t["severity"], delta=1e-6, msg=where)
            self.assertEqual([int(words[8]), int(words[9])], [t["window"], t["failures"]], where)
            for word, name in zip(words[10:13], ("change_at", "window_start", "window_end")):
                self.assertAlmostEqual(float(word), t[name], delta=1e-4, msg=f"{name}: {where}")
            self.assertEqual(" ".join(words[13:]), t["rule"], where)

    def test_states_and_windows(self):
        for where, words, (state, backoff_left, rows) in self.answers("look"):
            self.assertEqual(words[:2], [state, str(backoff_left)], where)
            self.assertEqual(len(words), 2 + 12 * len(rows), where)
            for i, (name, count, total, statistics) in enumerate(rows):
                row = words[2 + 12 * i:14 + 12 * i]
                self.assertEqual(row[:3], [name, str(count), str(total)], where)
                for word, statistic, expected in zip(row[3:], oracle.STATISTICS, statistics):
                    self.assertTrue(close(float(word), expected), f"{name} {statistic} {expected}: {where}")

    def test_the_lives_are_eventful(self):
        """A stream in which nothing happens proves nothing."""
        counts = {}
        for _, life in self.lives:
            for what, answer in life.answers:
                if what == "event":
                    said = answer[0]
                    for key in ["began", "trigger", "recovered", "held"]:
                        counts[key] = counts.get(key, 0) + bool(said[key])
                    counts[said["evaluation"]] = counts.get(said["evaluation"], 0) + 1
                    counts["differ"] = counts.get("differ", 0) + (said["held"] != said["recovered"])
                else:
                    counts[answer[0]] = counts.get(answer[0], 0) + 1
        for key in ("began", "trigger", "recovered", "held", "differ", "none", "healthy", "failing", "warming",
                    "drifting", "retraining", "stale"):
            self.assertGreater(counts.get(key, 0), 200, f"{key}: {counts}")
        self.assertLess(self.too_close, STREAMS // 20)


if __name__ == "__main__":
    unittest.main()
