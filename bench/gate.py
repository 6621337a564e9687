#!/usr/bin/env python3
"""gate.py: instructions an event on the hot path (bench/hotpath.c), against the bounds in bench/gate.json.

Callgrind counts the same whatever else the machine does. Each figure is the difference of two sizes, so that what is done
once falls out. Fails when one is beyond its bound; a change that makes it cheaper should lower the bound:

    make bench-gate            # compares
    make bench-gate SET=1      # writes the bounds anew: what is counted, and two parts in a hundred more
"""
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys

BUILD = pathlib.Path(os.environ.get("BUILD", "build")).resolve()
BOUNDS = pathlib.Path(__file__).with_name("gate.json")
MODELS = 48
SLACK = 1.02


def counted(case, messages):
    form, rows, judged = case.split()
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=workers_take",
               BUILD / "bench/hotpath", str(MODELS), str(messages), form, rows, judged]
    run = subprocess.run(command, capture_output=True, text=True)
    found = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode or not found:
        sys.exit(f"bench-gate: {case}: {run.stderr}")
    return int(found.group(1))


def instructions(case):
    rows = int(case.split()[1])
    small, large = (MODELS, 5 * MODELS) if rows > 1 else (10 * MODELS, 110 * MODELS)
    return round((counted(case, large) - counted(case, small)) / (large - small) / rows)


def main():
    bounds = json.loads(BOUNDS.read_text())
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = dict(zip(bounds, pool.map(instructions, bounds)))
    if os.environ.get("SET"):
        BOUNDS.write_text(json.dumps({case: round(value * SLACK) for case, value in found.items()}, indent=2) + "\n")
        bounds = json.loads(BOUNDS.read_text())
    for case, value in found.items():
        print(f"{case:20} {value:6} instructions an event, at most {bounds[case]}"
              + ("" if value <= bounds[case] else ": too many"))
    sys.exit(any(value > bounds[case] for case, value in found.items()))


if __name__ == "__main__":
    main()
