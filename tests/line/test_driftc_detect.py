"""`driftc detect` and `driftc arl`, as a person types them. Expected run lengths are those of published tables
(Montgomery, Introduction to Statistical Quality Control, chapter 9; Lucas and Saccucci 1990; Lucas and Crosier 1982)."""
import json
import os
import pathlib
import subprocess
import unittest

DRIFTC = str(pathlib.Path(os.environ.get("BUILD", "build"), "driftc").resolve())


def driftc(*arguments, stdin=""):
    return subprocess.run([DRIFTC, *arguments], input=stdin, capture_output=True, text=True, timeout=60)


def alarms(*arguments, values):
    done = driftc("detect", *arguments, "-", stdin="".join(f"{value}\n" for value in values))
    assert done.returncode == 0, done.stderr
    return [json.loads(text) for text in done.stdout.splitlines()]


class Arl(unittest.TestCase):
    def near(self, published, *arguments, member="arl", part=0.01):
        done = driftc("arl", *arguments, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertAlmostEqual(json.loads(done.stdout)[member] / published, 1, delta=part, msg=arguments)

    def test_cusum(self):
        for limit, lengths in ((4, (168, 26.6, 8.38, 3.34)), (5, (465, 38.0, 10.4, 4.01))):
            for shift, published in zip((0, 0.5, 1, 2), lengths):
                self.near(published, "cusum", "--set", "k=0.5", "--set", f"h={limit}", "--shift", str(shift))

    def test_cusum_with_head_start(self):
        for shift, published in zip((0, 0.5, 1, 2), (430, 28.7, 6.35, 2.36)):
            self.near(published, "cusum", "--set", "h=5", "--set", "head_start=0.5", "--shift", str(shift))

    def test_ewma_and_shewhart(self):
        for shift, first, second, third in zip((0, 0.5, 1, 2), (500, 31.3, 10.3, 4.36), (500, 41.8, 10.5, 3.74),
                                               (370.4, None, 43.9, 6.30)):
            self.near(first, "ewma", "--shift", str(shift))
            self.near(second, "ewma", "--set", "lambda=0.2", "--set", "L=2.962", "--shift", str(shift))
            if third:
                self.near(third, "shewhart", "--shift", str(shift))
        self.near(2.00, "shewhart", "--shift", "3")

    def test_thresholds(self):
        for promise, one_sided, two_sided in ((1e3, 5.071, 5.757), (1e4, 7.361, 8.053), (1e5, 9.662, 10.355),
                                              (1e6, 11.964, 12.657)):
            self.near(one_sided, "cusum", "--set", "direction=up", "--arl0", str(promise), member="threshold", part=0.005)
            self.near(two_sided, "cusum", "--arl0", str(promise), member="threshold", part=0.005)

    def test_mistakes(self):
        for arguments, said in ((("adwin",), "cusum, ewma and shewhart"), (("cusum", "--set", "h=-1"), "h"),
                                (("cusum", "--set", "x=1"), "x"), (("cusum", "--set", "h"), "key=value"),
                                (("cusum", "--arl0", "1"), "2")):
            done = driftc("arl", *arguments)
            self.assertEqual(done.returncode, 64, arguments)
            self.assertIn(said, done.stderr)
            self.assertEqual(done.stdout, "")


class Detect(unittest.TestCase):
    def test_index_is_that_of_the_line(self):
        """By hand: S = max(0, S + x - 0.5) from a known reference passes 5 at the sixth value of 1.5 (6 x 1.0)."""
        found = alarms("cusum", "--set", "mean=0", "--set", "sd=1", "--set", "direction=up", values=[0, 0, 0] + [1.5] * 6)
        self.assertEqual([alarm["index"] for alarm in found], [8])
        self.assertEqual(found[0]["state"], "drift")
        self.assertEqual(found[0]["threshold"], 5)
        self.assertAlmostEqual(found[0]["statistic"], 6)
        self.assertEqual(found[0]["change_at"], 3)

    def test_what_is_no_number_takes_an_index(self):
        values = [0, "", "nan", "high", 0] + [1.5] * 6
        found = alarms("cusum", "--set", "mean=0", "--set", "sd=1", "--set", "direction=up", values=values)
        self.assertEqual([alarm["index"] for alarm in found], [9])  # of eleven lines one is blank
        self.assertEqual(found[0]["change_at"], 4)

    def test_starts_anew_after_an_alarm(self):
        found = alarms("cusum", "--set", "mean=0", "--set", "sd=1", "--set", "direction=up", values=[1.5] * 12)
        self.assertEqual([alarm["index"] for alarm in found], [5, 11])
        self.assertEqual([alarm["change_at"] for alarm in found], [0, 6])

    def test_a_change_is_told_by_lines_after_any_number_of_alarms(self):
        """Both alarms come with lines before them that were not fed: some before the first, some between the two."""
        numbers = [0] * 4 + ["nan"] * 8 + [1.5] * 6 + ["none"] * 3 + [0] + ["nan"] + [1.5] * 3 + ["nan"] + [1.5] * 3
        found = alarms("cusum", "--set", "mean=0", "--set", "sd=1", "--set", "direction=up", values=numbers)
        self.assertEqual([(alarm["index"], alarm["change_at"]) for alarm in found], [(17, 12), (29, 23)])

    def test_warnings(self):
        errors = [0, 1] * 50 + [1] * 60
        quiet = alarms("ddm", values=errors)
        told = alarms("ddm", "--warnings", values=errors)
        self.assertEqual([alarm["index"] for alarm in told if alarm["state"] == "drift"], [alarm["index"] for alarm in quiet])
        self.assertIn("warning", {alarm["state"] for alarm in told})

    def test_every_detector_runs(self):
        names = ("cusum ewma shewhart page_hinkley adwin ddm eddm hddm_a hddm_w kswin psi js chi2 ks wasserstein").split()
        for name in names:
            alarms(name, values=[(i * 7919 % 101) / 101 for i in range(1500)])
        alarms("evidence", "--set", "budget=0.9", values=[0.5] * 500)

    def test_mistakes(self):
        for arguments, status, said in ((("nothing", "-"), 64, "no detector"), (("cusum", "/nonexistent"), 66, "/nonexistent"),
                                        (("cusum",), 64, ""), (("evidence", "-"), 64, "budget")):
            done = driftc("detect", *arguments)
            self.assertEqual((done.returncode, done.stdout), (status, ""), (arguments, done.stderr))
            self.assertIn(said, done.stderr)


if __name__ == "__main__":
    unittest.main()
