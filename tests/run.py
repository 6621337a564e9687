#!/usr/bin/env python3
"""run.py PROGRAM...: runs each test program, two at a time, and ends with one line `N passed, N failed`.

A program is either a check(3) binary, whose summary line is read, or a Python file of unittest cases. One that ends
without a summary (a crash, a sanitizer report, a time-out) counts as one failure, and its whole output is shown.
"""
import concurrent.futures
import os
import re
import subprocess
import sys
import time

TIMEOUT_S = 1500
CHECK = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)", re.M)
RAN = re.compile(r"^Ran (\d+) tests? in", re.M)
BAD = re.compile(r"^FAILED \((.*)\)", re.M)
SKIPPED = re.compile(r"skipped=(\d+)")


def counts_of(output):
    """Returns (passed, failed, skipped), or None where the output has no summary."""
    checks = CHECK.findall(output)
    if checks:
        total = sum(int(c[0]) for c in checks)
        failed = sum(int(c[1]) + int(c[2]) for c in checks)
        return total - failed, failed, 0
    ran = RAN.search(output)
    if ran:
        bad = BAD.search(output)
        failed = sum(int(n) for kind, n in re.findall(r"(failures|errors|unexpected successes)=(\d+)", bad.group(1))) if bad else 0
        skipped = sum(int(n) for n in SKIPPED.findall(output))
        return int(ran.group(1)) - failed - skipped, failed, skipped
    return None


def run(program):
    command = ["/usr/bin/python3", program, "-v"] if program.endswith(".py") else [os.path.abspath(program)]
    started = time.monotonic()
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL)
        output, code = done.stdout.decode("utf-8", "replace"), done.returncode
    except subprocess.TimeoutExpired as e:
        output, code = (e.stdout or b"").decode("utf-8", "replace") + f"\ntimed out after {TIMEOUT_S} s\n", 1
    counts = counts_of(output)
    if counts is None or (code != 0 and counts[1] == 0):
        passed, skipped = (counts[0], counts[2]) if counts else (0, 0)
        counts = (passed, 1, skipped)
    return program, counts, output, time.monotonic() - started


def main(programs):
    # check(3) gives a test 4 seconds: too few under a sanitizer, on a machine that has other work.
    os.environ.setdefault("CK_DEFAULT_TIMEOUT", "120")
    passed = failed = skipped = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=int(os.environ.get("JOBS", "2"))) as pool:
        for program, (p, f, s), output, took in pool.map(run, programs):
            passed, failed, skipped = passed + p, failed + f, skipped + s
            print(f"{'FAIL' if f else 'ok':4}  {program}  {p} passed" + (f", {f} failed" if f else "") +
                  (f", {s} skipped" if s else "") + f"  ({took:.1f} s)", flush=True)
            if f:
                print("      " + output.rstrip().replace("\n", "\n      "), flush=True)
            for line in output.splitlines():
                if s and "skipped" in line:
                    print("      " + line)
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
