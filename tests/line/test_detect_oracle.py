#!/usr/bin/env python3
"""The detectors against the scripts of tests/oracle: their tables are the ones that the C tests embed, and the program
says what they say. Environment: BUILD, the folder of the build (default: build)."""
import os
import random
import re
import subprocess
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
ORACLE = os.path.join(ROOT, "tests", "oracle")
PROGRAM = os.path.join(BUILD, "tests", "unit", "check_detect_streams")
ROW = re.compile(r'\{"(\w+)", "([^"]*)", "(\w+)", (\d+), \{([^}]*)\}, (\d+), \{([^}]*)\}\},')
NUMBER = re.compile(r"-?\d+\.?\d*(?:e[-+]?\d+)?")
STREAMS = ["detect_charts", "detect_page_hinkley", "detect_adwin", "detect_errors", "detect_kswin", "detect_evidence"]


def printed(script):
    done = subprocess.run([sys.executable, os.path.join(ORACLE, script + ".py")], stdout=subprocess.PIPE, check=True,
                          env=dict(os.environ, OMP_NUM_THREADS="1", PYTHONDONTWRITEBYTECODE="1"))
    return done.stdout.decode()


def embedded(header):
    with open(os.path.join(ROOT, "tests", "unit", header)) as f:
        text = f.read()
    return text.split("/* clang-format off */\n")[1].split("/* clang-format on */")[0]


def said(detector, options, stream, values=None):
    """The program's drifts and the firsts of its runs of warnings."""
    given = "".join("%.17g\n" % v for v in values).encode() if values else None
    done = subprocess.run([PROGRAM, "--dump", detector, options, stream], input=given, stdout=subprocess.PIPE, check=True)
    drifts, warnings, before = [], [], -2
    for line in done.stdout.decode().splitlines():
        index, state = line.split()
        if state == "drift":
            drifts.append(int(index))
        else:
            if int(index) != before + 1:
                warnings.append(int(index))
            before = int(index)
    return drifts, warnings


def first(count, listed):
    return [int(x) for x in listed.split(",")][:int(count)]


@unittest.skipUnless(os.path.exists(PROGRAM), "build/tests/unit/check_detect_streams is not built")
class Streams(unittest.TestCase):
    def test_the_table_is_printed_by_the_scripts_and_said_by_the_program(self):
        rows = []
        for script in STREAMS:
            rows += ROW.findall(printed(script))
        self.assertEqual(rows, ROW.findall(embedded("detect_expected.h")))
        self.assertGreater(len(rows), 140)
        for detector, options, stream, drifts, drift, warnings, warning in rows:
            with self.subTest(detector=detector, options=options, stream=stream):
                found, warned = said(detector, options, stream)
                self.assertEqual(len(found), int(drifts))
                self.assertEqual(found[:12], first(drifts, drift))
                self.assertEqual(len(warned), int(warnings))
                self.assertEqual(warned[:12], first(warnings, warning))

    def test_published_examples_of_the_reference_implementation(self):
        """Indices that its documentation prints, on the streams it draws there."""
        rng = random.Random(42)
        errors = rng.choices([0, 1], k=1000) + rng.choices([0, 1], k=1000, weights=[0.3, 0.7])
        drifts, warnings = said("ddm", "", "-", errors)
        self.assertEqual((drifts, warnings[0]), ([1334], 1084))
        self.assertEqual([w for w in warnings if w > 1334][0], 1492)
        for detector, drift in (("hddm_a", 1206), ("hddm_w", 1077)):
            drifts, warnings = said(detector, "", "-", errors)
            self.assertEqual((drifts, warnings[0]), ([drift], 451))
        rng = random.Random(12345)
        levels = rng.choices([0, 1], k=1000) + rng.choices(range(4, 8), k=1000)
        self.assertEqual(said("adwin", "", "-", levels)[0], [1023])
        self.assertEqual(said("page_hinkley", "", "-", levels)[0], [1006])


class Numbers(unittest.TestCase):
    def compare(self, script, header, relative):
        """The same rows; numbers may differ in their last digits between versions of the libraries."""
        fresh, kept = printed(script).splitlines(), embedded(header).splitlines()
        self.assertEqual(len(fresh), len(kept))
        for a, b in zip(fresh, kept):
            self.assertEqual(NUMBER.sub("#", a), NUMBER.sub("#", b))
            for x, y in zip(NUMBER.findall(a), NUMBER.findall(b)):
                self.assertAlmostEqual(float(x), float(y), delta=relative * max(1, abs(float(y))), msg=b)

    def test_run_lengths_and_limits(self):
        self.compare("calibrate_runs", "calibrate_expected.h", 1e-4)

    def test_distances(self):
        self.compare("detect_distances", "distances_expected.h", 1e-6)


if __name__ == "__main__":
    unittest.main()
