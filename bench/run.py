#!/usr/bin/env python3
"""run.py: what the daemon costs beside receiving the bytes.

Each figure is a ratio of two runs side by side (A-B-A-B), PAIRS pairs, the median with its minimum and maximum: machines
are noisy, and a single absolute time says little. A is a bare libzmq receive loop (bench/rawdrain.c), B is driftd with
10,000 models, five metrics, windows of 128 and KPI budgets on; both drink from the same publisher (bench/blast.c), which
TCP holds back, so that nothing is dropped and the receiver is what is measured. A run in which an event is missing fails.

    PAIRS=9 MESSAGES=2000000 make bench
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
PAIRS = int(os.environ.get("PAIRS", "9"))
MESSAGES = int(os.environ.get("MESSAGES", "2000000"))
MODELS = 10_000

CONFIG = """
metrics: {{bind: [tcp://127.0.0.1:{port}], queue: 1000, max_models: 2000000}}
jobs: {{bind: [ipc://{dir}/jobs]}}
feedback: {{bind: [ipc://{dir}/feedback]}}
events: {{bind: [ipc://{dir}/events]}}
control: {{bind: ipc://{dir}/control}}
state: {{dir: {dir}/state}}
log: {{level: warning}}
budgets:
  - models: "*"
    window: 128
    kpis:
      accuracy: {{min: 0.80, over: mean}}
      latency_ms: {{max: 250, over: p95}}
      processed_fps: {{min: 20, over: mean}}
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def blast(port, messages, form, rows):
    return subprocess.Popen([BUILD / "bench/blast", "127.0.0.1", str(port), str(MODELS), str(messages), form, str(rows)],
                            stdout=subprocess.PIPE, text=True)


def run_raw(messages, form, rows):
    port = free_port()
    drain = subprocess.Popen([BUILD / "bench/rawdrain", f"tcp://127.0.0.1:{port}", str(messages)], stdout=subprocess.PIPE, text=True)
    assert drain.stdout.readline() == "ready\n"
    source = blast(port, messages, form, rows)
    out, _ = drain.communicate(timeout=300)
    source.communicate(timeout=60)
    took = json.loads(out)
    return {"rate": messages / took["seconds"], "cpu": took["cpu_seconds"] / messages}


def cpu_of(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_of(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1)) * 1024


def ask(control, question):
    import zmq
    with zmq.Context.instance().socket(zmq.REQ) as s:
        s.setsockopt(zmq.LINGER, 0)
        s.setsockopt(zmq.RCVTIMEO, 30000)
        s.connect(control)
        s.send_json(question)
        return s.recv_json()


def run_driftd(messages, form, rows):
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        config = pathlib.Path(folder) / "driftd.yaml"
        config.write_text(CONFIG.format(port=port, dir=folder))
        pathlib.Path(folder, "state").mkdir()
        daemon = subprocess.Popen([BUILD / "driftd", "--config", config])
        try:
            control = f"ipc://{folder}/control"
            while not pathlib.Path(folder, "control").exists():
                time.sleep(0.02)
                assert daemon.poll() is None, "driftd did not start"
            ask(control, {"do": "status"})
            cpu = cpu_of(daemon.pid)
            source = blast(port, messages, form, rows)
            started = time.monotonic()
            want = messages * rows
            while True:
                status = ask(control, {"do": "status"})
                if status["events"] >= want:
                    break
                assert time.monotonic() - started < 300, status
                time.sleep(0.02)
            took = time.monotonic() - started
            cpu = cpu_of(daemon.pid) - cpu
            source.communicate(timeout=60)
            lost = sum(status["lost"].values())
            dropped = sum(status["dropped"].values())
            if lost or dropped or status["events"] != want:
                sys.exit(f"bench: {status['events']} events of {want}, lost {lost}, dropped {dropped}")
            return {"rate": messages / took, "cpu": cpu / messages, "rss": rss_of(daemon.pid)}
        finally:
            daemon.terminate()
            daemon.wait(timeout=30)


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def compare(name, messages, form, rows):
    raw, own = [], []
    for pair in range(PAIRS):
        raw.append(run_raw(messages, form, rows))
        own.append(run_driftd(messages, form, rows))
        if sys.stderr.isatty():
            print(f"\r  {name}: pair {pair + 1} of {PAIRS} ", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print("\r" + " " * 60 + "\r", end="", file=sys.stderr)
    result = {
        "raw_messages_per_s": spread([r["rate"] for r in raw]),
        "messages_per_s": spread([o["rate"] for o in own]),
        "events_per_s": spread([o["rate"] * rows for o in own]),
        "rate_ratio": spread([o["rate"] / r["rate"] for o, r in zip(own, raw)]),
        "raw_cpu_s_per_million": spread([r["cpu"] * 1e6 for r in raw]),
        "cpu_s_per_million": spread([o["cpu"] * 1e6 for o in own]),
        "cpu_ratio": spread([o["cpu"] / r["cpu"] for o, r in zip(own, raw)]),
        "rss_bytes": spread([o["rss"] for o in own]),
    }
    print(f"{name:24}  rate over raw {result['rate_ratio']['median']:.2f} "
          f"({result['rate_ratio']['min']:.2f} to {result['rate_ratio']['max']:.2f})   "
          f"CPU over raw {result['cpu_ratio']['median']:.2f} ({result['cpu_ratio']['min']:.2f} to {result['cpu_ratio']['max']:.2f})   "
          f"{result['events_per_s']['median'] / 1e6:.2f} M events/s, {result['cpu_s_per_million']['median']:.2f} CPU-s a million messages "
          f"(raw: {result['raw_messages_per_s']['median'] / 1e6:.2f} M/s, {result['raw_cpu_s_per_million']['median']:.2f})")
    return result


def main():
    results = {
        "pairs": PAIRS, "messages": MESSAGES, "models": MODELS,
        "json single": compare("json, single events", MESSAGES, "json", 1),
        "msgpack single": compare("msgpack, single events", MESSAGES, "msgpack", 1),
        "json batch 64": compare("json, batches of 64", max(MESSAGES // 16, MODELS), "json", 64),
        "msgpack batch 64": compare("msgpack, batches of 64", max(MESSAGES // 16, MODELS), "msgpack", 64),
    }
    (BUILD / "bench.json").write_text(json.dumps(results, indent=2) + "\n")
    print(f"written: {BUILD / 'bench.json'}")


if __name__ == "__main__":
    main()
