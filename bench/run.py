#!/usr/bin/env python3
"""run.py: what the daemon costs beside receiving the bytes.

Each figure is a ratio of two runs side by side (A-B-A-B), PAIRS pairs, the median with its minimum and maximum: machines
are noisy, and a single absolute time says little. A is a bare libzmq receive loop (bench/rawdrain.c) unless said, B is
driftd with 10,000 models, five metrics, windows of 128, KPI budgets and four detectors on; both drink from the same publisher
(bench/blast.c), which TCP holds back, so that nothing is dropped and the receiver is what is measured. A run in which an
event is missing fails. What does not depend on the machine's other work is the number of instructions: bench/gate.py.

    PAIRS=9 MESSAGES=1000000 ONLY=json make bench
"""
import json
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time

BUILD = pathlib.Path(os.environ.get("BUILD", "build")).resolve()
HERE = pathlib.Path(__file__).resolve().parent
PAIRS = int(os.environ.get("PAIRS", "9"))
MESSAGES = int(os.environ.get("MESSAGES", "1000000"))
ONLY = os.environ.get("ONLY", "")
MODELS = 10_000
MANY = 1_000_000
BYTES_A_MODEL = 7_000  # what MANY models need, to leave them out where a machine has not so much

CONFIG = """
metrics: {{bind: [tcp://127.0.0.1:{port}], queue: 1000, max_models: 2000000}}
jobs: {{bind: [ipc://{dir}/jobs]}}
feedback: {{bind: [ipc://{dir}/feedback]}}
events: {{bind: [ipc://{dir}/events]}}
control: {{bind: ipc://{dir}/control}}
state: {{dir: {dir}/state}}
log: {{level: error}}
budgets:
  - models: "*"
    window: 128
    kpis:
      accuracy: {{min: 0.80, over: mean}}
      latency_ms: {{max: 250, over: p95}}
      processed_fps: {{min: 20, over: mean}}
"""

DETECTORS = """
    drift:
      - {metric: accuracy, detector: cusum, direction: down}
      - {metric: precision, detector: ewma, direction: both}
      - {metric: latency_ms, detector: page_hinkley, threshold: 1000000}
      - {metric: processed_fps, detector: adwin}
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def blast(port, load):
    args = [BUILD / "bench/blast", "127.0.0.1", port, load["models"], load["messages"], load["form"], load["rows"]]
    if load.get("per_s"):
        nodes = load["nodes"]
        args[4] = load["messages"] // nodes
        args.append(load["per_s"] // nodes)
        return [subprocess.Popen([str(a) for a in args], stdout=subprocess.DEVNULL) for _ in range(nodes)]
    return [subprocess.Popen([str(a) for a in args], stdout=subprocess.DEVNULL)]


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


def cpu_of(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_of(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1)) * 1024


def ask(control, question):
    import zmq
    with zmq.Context.instance().socket(zmq.REQ) as s:
        s.setsockopt(zmq.LINGER, 0)
        s.setsockopt(zmq.RCVTIMEO, 60000)
        s.connect(control)
        s.send_json(question)
        return s.recv_json()


def wait_for(control, want):
    started = time.monotonic()
    while True:
        status = ask(control, {"do": "status"})
        if status.get("events", 0) >= want:
            return status
        assert time.monotonic() - started < 300, status
        time.sleep(0.01)


def run_driftd(load):
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        config = pathlib.Path(folder) / "driftd.yaml"
        config.write_text(CONFIG.format(port=port, dir=folder) + (DETECTORS if load["detectors"] else ""))
        pathlib.Path(folder, "state").mkdir()
        daemon = subprocess.Popen([BUILD / "driftd", "--config", config])
        try:
            control = f"ipc://{folder}/control"
            while not pathlib.Path(folder, "control").exists():
                time.sleep(0.02)
                assert daemon.poll() is None, "driftd did not start"
            ask(control, {"do": "status"})
            want = 0
            if load.get("known", True):  # the models are there already: what is measured is events, not their making
                first = dict(load, messages=load["models"], per_s=0)
                sources = blast(port, first)
                want += load["models"] * load["rows"]
                wait_for(control, want)
                sources[0].wait(timeout=60)
            cpu = cpu_of(daemon.pid)
            started = time.monotonic()
            sources = blast(port, load)
            want += load["messages"] * load["rows"]
            status = wait_for(control, want)
            took = time.monotonic() - started
            cpu = cpu_of(daemon.pid) - cpu
            for source in sources:
                source.wait(timeout=60)
            lost = sum(status["lost"].values())
            dropped = sum(status["dropped"].values())
            if lost or dropped or status["events"] != want:
                sys.exit(f"bench: {status['events']} events of {want}, lost {lost}, dropped {dropped}")
            return {"rate": load["messages"] / took, "cpu": cpu / load["messages"], "rss": rss_of(daemon.pid)}
        finally:
            daemon.terminate()
            daemon.wait(timeout=60)


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def words(ratio):
    return f"{ratio['median']:.2f} ({ratio['min']:.2f} to {ratio['max']:.2f})"


def compare(name, load, other=run_raw, own=run_driftd, pairs=None, against="raw"):
    load = {"models": MODELS, "messages": MESSAGES, "form": "json", "rows": 1, "detectors": True, **load}
    others, owns = [], []
    for pair in range(pairs or PAIRS):
        others.append(other(load))
        if not isinstance(others[0], dict):
            print(f"{name:26}  left out: not to be had on this machine")
            return None
        owns.append(own(load))
        if sys.stderr.isatty():
            print(f"\r  {name}: pair {pair + 1} of {pairs or PAIRS} ", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print("\r" + " " * 60 + "\r", end="", file=sys.stderr)
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
    few = lambda load: run_driftd(dict(load, models=MODELS))
    return compare("a million models", {"models": MANY, "messages": 2 * MANY, "detectors": False, "known": True}, few, pairs=3,
                   against="10,000 models")


def naive(load):
    return run_loop([str(BUILD / "bench/naive")], load)


def python_line(load):
    return run_loop(["/usr/bin/python3", str(HERE / "peers/python_line.py")], load)


def river_line(load):
    return run_loop(["/usr/bin/python3", str(HERE / "peers/python_line.py")], load, "river")


PARTS = {
    "json": lambda: compare("json, single events", {}),
    "msgpack": lambda: compare("msgpack, single events", {"form": "msgpack"}),
    "json budgets": lambda: compare("json, budgets alone", {"detectors": False}),
    "json batch": lambda: compare("json, batches of 64", {"rows": 64, "messages": max(MESSAGES // 16, MODELS)}),
    "msgpack batch": lambda: compare("msgpack, batches of 64",
                                     {"form": "msgpack", "rows": 64, "messages": max(MESSAGES // 16, MODELS)}),
    "paced": lambda: compare("paced, 200,000/s, 16 nodes",
                             {"per_s": 200_000, "nodes": 16, "messages": 400_000, "models": 640, "known": False},
                             pairs=min(PAIRS, 5)),
    "naive": lambda: compare("json, against naive czmq", {"messages": MESSAGES // 4}, naive, pairs=min(PAIRS, 5),
                             against="naive"),
    "python": lambda: compare("json, against Python", {"messages": MESSAGES // 20}, python_line, pairs=min(PAIRS, 5),
                              against="Python"),
    "river": lambda: compare("json, against River", {"messages": MESSAGES // 40}, river_line, pairs=min(PAIRS, 3),
                             against="River"),
    "many": compare_many,
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
