#!/usr/bin/env python3
"""run.py: what the daemon costs beside receiving the bytes.

Each figure is a ratio of two runs side by side (A-B-A-B), PAIRS pairs, the median with its minimum and maximum: machines
are noisy, and a single absolute time says little. A is a bare libzmq receive loop (bench/rawdrain.c) unless said, B is
driftd with 10,000 models, five metrics, windows of 128, KPI budgets and four detectors on; both drink from the same publisher
(bench/blast.c), which TCP holds back, so that nothing is dropped and the receiver is what is measured. A run in which an
event is missing fails. The daemon's models have been at work before: windows and references are full. A peer that is many
times slower is sent a part of what the daemon is, since a run of some tenths of a second times its beginning. What does not depend on the machine's other work is the number of instructions: bench/gate.py. What CURVE takes is in
bench/curve.py, and traffic that comes one by one in bench/paced.py.

    PAIRS=9 MESSAGES=2000000 ONLY=json make bench
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import curve
import paced
from daemon import BUILD, CONFIG, MANY, MODELS, Driftd, ask, blast, free_port, spread, wait_for, words

HERE = pathlib.Path(__file__).resolve().parent
PAIRS = int(os.environ.get("PAIRS", "9"))
MESSAGES = int(os.environ.get("MESSAGES", "2000000"))
ONLY = os.environ.get("ONLY", "")
BEHIND_PER_S = 100_000  # events, while a frame's way to its job is timed
JOBS = 1000  # in each of these runs
BYTES_A_MODEL = 7_000  # what MANY models need, to leave them out where a machine has not so much


def run_loop(command, load, *more):
    """A program that receives and prints seconds and cpu_seconds: rawdrain, naive, python_line.py."""
    port = free_port()
    loop = subprocess.Popen([*command, f"tcp://127.0.0.1:{port}", str(load["messages"]), *more], stdout=subprocess.PIPE,
                            text=True)
    if loop.stdout.readline() != "ready\n":
        return loop.wait()
    sources = blast(port, load)
    out, _ = loop.communicate(timeout=300)
    for source in sources:
        source.wait(timeout=60)
    took = json.loads(out)
    return {"rate": load["messages"] / took["seconds"], "cpu": took["cpu_seconds"] / load["messages"]}


def run_raw(load):
    return run_loop([str(BUILD / "bench/rawdrain")], load)


def pairs_of(name, load, other, pairs, part):
    """Results of the other, with a part of the load, and of the daemon, side by side; None where the other is not to be had."""
    other_load = dict(load, messages=load["messages"] // part)
    others, owns, driftd = [], [], None
    try:
        for pair in range(pairs):
            others.append(other(other_load))
            if not isinstance(others[0], dict):
                return None
            driftd = driftd or Driftd(load)
            owns.append(driftd.run(load))
            if sys.stderr.isatty():
                print(f"\r  {name}: pair {pair + 1} of {pairs} ", end="", file=sys.stderr, flush=True)
    finally:
        if driftd:
            driftd.close()
        if sys.stderr.isatty():
            print("\r" + " " * 60 + "\r", end="", file=sys.stderr)
    return others, owns


def compare(name, load, other=run_raw, pairs=None, against="raw", part=1):
    load = {"models": MODELS, "messages": MESSAGES, "form": "json", "rows": 1, "detectors": True, **load}
    lap = load["models"] * load.get("nodes", 1)  # a message of each model from each node
    load["messages"] = -(-load["messages"] // lap) * lap
    found = pairs_of(name, load, other, pairs or PAIRS, part)
    if not found:
        print(f"{name:26}  left out: not to be had on this machine")
        return None
    others, owns = found
    result = {
        "load": load, "against": against,
        "other_messages_per_s": spread([r["rate"] for r in others]),
        "messages_per_s": spread([o["rate"] for o in owns]),
        "events_per_s": spread([o["rate"] * load["rows"] for o in owns]),
        "rate_ratio": spread([o["rate"] / r["rate"] for o, r in zip(owns, others)]),
        "other_cpu_s_per_million": spread([r["cpu"] * 1e6 for r in others]),
        "cpu_s_per_million": spread([o["cpu"] * 1e6 for o in owns]),
        "cpu_ratio": spread([o["cpu"] / r["cpu"] for o, r in zip(owns, others)]),
    }
    print(f"{name:26}  rate over {against} {words(result['rate_ratio'])}   CPU over {against} {words(result['cpu_ratio'])}   "
          f"{result['events_per_s']['median'] / 1e6:.2f} M events/s, {result['cpu_s_per_million']['median']:.2f} CPU-s a million "
          f"messages ({against}: {result['other_messages_per_s']['median'] / 1e6:.2f} M/s, "
          f"{result['other_cpu_s_per_million']['median']:.2f})", flush=True)
    return result


def memory():
    """Bytes a model by the difference of the resident set, windows full."""
    found = {}
    for name in ("budgets", "detectors"):
        out = subprocess.run([BUILD / "bench/hotpath", str(MODELS), "0", "json", "1", name], capture_output=True, text=True,
                             check=True).stdout
        found[name] = json.loads(out)["bytes_a_model"]
        print(f"{'memory a model, ' + name:26}  {found[name]} bytes", flush=True)
    return found


def memory_free():
    return int(re.search(r"MemAvailable:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text()).group(1)) * 1024


def compare_many():
    if memory_free() < MANY * BYTES_A_MODEL * 1.2:
        print(f"{'a million models':26}  left out: not to be had on this machine")
        return None
    few = Driftd(dict(form="json", rows=1, models=MODELS, messages=16 * MANY, detectors=False))
    try:
        return compare("a million models", {"models": MANY, "messages": 16 * MANY, "detectors": False},
                       lambda load: few.run(dict(load, models=MODELS)), pairs=3, against="10,000 models")
    finally:
        few.close()


def naive(load):
    return run_loop([str(BUILD / "bench/naive")], load)


def python_line(load):
    return run_loop(["/usr/bin/python3", str(HERE / "peers/python_line.py")], load)


def river_line(load):
    return run_loop(["/usr/bin/python3", str(HERE / "peers/python_line.py")], load, "river")


JOBS_CONFIG = """
    kpis: {accuracy: {min: 0.80, over: mean}}
  - models: "bench/*"
    window: 1
    min_events: 1
    consecutive_failures: 1
    kpis: {accuracy: {min: 0.80, over: last}}
retraining: {limits: {concurrent: none, per_model_per_day: none, per_day: none, gpu_hours_per_day: none}}
"""


def frame_to_job_once(memory):
    """A bad frame to its job, behind 100,000 events a second; the store on the disk, or in memory, where a sync costs nothing."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory(dir="/dev/shm") as in_memory:
        head, state = CONFIG.split("    kpis:")[0], os.path.join(in_memory if memory else folder, "state")
        text = (head.replace("state: {{dir: {dir}/state}}", "state: {{dir: {state}}}").format(port=port, dir=folder, state=state)
                + JOBS_CONFIG.lstrip("\n"))
        config = pathlib.Path(folder) / "driftd.yaml"
        config.write_text(text)
        daemon = subprocess.Popen([BUILD / "driftd", "--config", config])
        control, sources = f"ipc://{folder}/control", []
        try:
            while not pathlib.Path(folder, "control").exists():
                time.sleep(0.02)
                assert daemon.poll() is None, "driftd did not start"
            before = ask(control, {"do": "status"})["events"]
            sources = blast(port, {"models": 960, "messages": 960 * 60_000, "form": "json", "rows": 1, "per_s": BEHIND_PER_S})
            wait_for(control, before + BEHIND_PER_S)
            began, events = time.monotonic(), ask(control, {"do": "status"})["events"]
            out = subprocess.run([BUILD / "bench/frame_to_job", f"tcp://127.0.0.1:{port}", f"ipc://{folder}/jobs",
                                  f"ipc://{folder}/feedback", str(JOBS), folder], stdout=subprocess.PIPE, text=True, check=True,
                                 timeout=300).stdout
            status = ask(control, {"do": "status"})
            behind = (status["events"] - events) / (time.monotonic() - began)
            assert not sum(status["lost"].values()), status["lost"]
            return {**json.loads(out), "events_per_s": behind}
        finally:
            for source in sources:
                source.kill()
                source.wait()
            daemon.terminate()
            daemon.wait(timeout=60)


def frame_to_job():
    disk, memory = [], []
    for _ in range(min(PAIRS, 5)):
        memory.append(frame_to_job_once(True))
        disk.append(frame_to_job_once(False))
    result = {f"{where}_{key}": spread([run[key] for run in runs])
              for where, runs in (("disk", disk), ("memory", memory)) for key in runs[0]}
    for part, syncs in (("p50", 1.5), ("p99", 2.0)):
        result[f"syncs_{part}"] = spread([(d[f"job_{part}_us"] - m[f"job_{part}_us"]) / d[f"fdatasync_{part}_us"]
                                          for d, m in zip(disk, memory)])
        print(f"{'a frame to its job, ' + part:26}  {words(result['disk_job_' + part + '_us'])} us with the store on the disk, "
              f"{words(result['memory_job_' + part + '_us'])} us in memory; fdatasync {words(result['disk_fdatasync_' + part + '_us'])} us: "
              f"{words(result['syncs_' + part])} of it more (aim: {syncs}); "
              f"{result['disk_events_per_s']['median']:.0f} events/s behind it", flush=True)
    return result


def triggers():
    """Durable triggers a second, and what of them is lost when the daemon is killed in the middle."""
    runs = []
    for number in range(min(PAIRS, 5) + 1):
        killed = ["50000"] if number == 0 else []
        with tempfile.TemporaryDirectory() as folder:
            out = subprocess.run([BUILD / "bench/triggers", folder, "100000", *killed], stdout=subprocess.PIPE, text=True,
                                 check=True, timeout=300).stdout
        run = json.loads(out)
        if run["lost"]:
            sys.exit(f"bench: {run['lost']} triggers were told of and are lost")
        runs += [] if killed else [run]
    result = {key: spread([run[key] for run in runs]) for key in runs[0]}
    print(f"{'durable triggers':26}  {words(result['triggers_per_s'])} a second, {words(result['cpu_us'])} us of the processor each; "
          f"fdatasync {words(result['fdatasync_p50_us'])} us; none lost, and none of 50,000 by a kill -9", flush=True)
    return result


PARTS = {
    "json": lambda: compare("json, single events", {}),
    "msgpack": lambda: compare("msgpack, single events", {"form": "msgpack"}),
    "json budgets": lambda: compare("json, budgets alone", {"detectors": False}),
    "json batch": lambda: compare("json, batches of 64", {"rows": 64, "messages": max(MESSAGES // 16, MODELS)}),
    "msgpack batch": lambda: compare("msgpack, batches of 64",
                                     {"form": "msgpack", "rows": 64, "messages": max(MESSAGES // 16, MODELS)}),
    "json batch budgets": lambda: compare("json, batches, budgets", {"rows": 64, "messages": max(MESSAGES // 16, MODELS),
                                                                     "detectors": False}),
    "paced": lambda: paced.compare(PAIRS),
    "naive": lambda: compare("json, against naive czmq", {}, naive, pairs=min(PAIRS, 5), against="naive", part=8),
    "python": lambda: compare("json, against Python", {}, python_line, pairs=min(PAIRS, 5), against="Python", part=20),
    "river": lambda: compare("json, against River", {}, river_line, pairs=min(PAIRS, 3), against="River", part=40),
    "many": compare_many,
    "curve": lambda: curve.compare("curve, json, single events", 1, MESSAGES // 4, PAIRS),
    "curve batch": lambda: curve.compare("curve, json, batches of 64", 64, max(MESSAGES // 64, MODELS), PAIRS),
    "frame to job": frame_to_job,
    "triggers": triggers,
    "memory": memory,
}


def main():
    results = {"pairs": PAIRS, "messages": MESSAGES, "models": MODELS}
    for name, part in PARTS.items():
        if ONLY in name:
            results[name] = part()
    (BUILD / "bench.json").write_text(json.dumps(results, indent=2) + "\n")
    print(f"written: {BUILD / 'bench.json'}")


if __name__ == "__main__":
    main()
