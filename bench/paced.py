"""paced.py: what messages cost that come one by one, 200,000 a second from 16 nodes, and how much of it anybody pays.

Three receivers in turns, PAIRS times: a bare libzmq loop that waits for each message (bench/rawdrain.c), the same loop as it takes what
is there and then sleeps for half a millisecond, and the daemon, which does that too (daemon/ingest/pace.h). The second does
nothing with a message, so it is the floor of any daemon on libzmq. CPU is counted for all of the process and for libzmq's
I/O thread alone, which reads the sockets of the nodes and costs the same whoever takes the messages. A run in which an event is
missing fails. Nodes that come too late send what they owe in one go, which is cheaper for all three: where one of a round fell
behind its pace the whole round is thrown away and comes again, some times as many rounds at most.

    PAIRS=5 ONLY=paced make bench
"""
import json
import pathlib
import subprocess

from daemon import BUILD, Driftd, blast, free_port, spread, words

GATHER_US = 500  # as the daemon
PER_S, NODES, MESSAGES, MODELS = 200_000, 16, 400_000, 640
PACE_KEPT = 0.95  # of PER_S
ROUNDS_MOST = 4  # for each that is kept
RECEIVERS = {"raw": "a bare loop", "floor": "a bare loop that gathers", "daemon": "the daemon"}


def loop(load, gather_us=0):
    port = free_port()
    command = [BUILD / "bench/rawdrain", f"tcp://127.0.0.1:{port}", load["messages"], 1000, "-", gather_us]
    receiver = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True)
    assert receiver.stdout.readline() == "ready\n"
    sources = blast(port, load)
    took = json.loads(receiver.communicate(timeout=300)[0])
    for source in sources:
        source.wait(timeout=60)
    return {"rate": load["messages"] / took["seconds"], "cpu": took["cpu_seconds"] / load["messages"],
            "io": (took["cpu_seconds"] - took["own_cpu_seconds"]) / load["messages"]}


def io_cpu(pid):
    """CPU-seconds of libzmq's I/O threads."""
    return sum(int((task / "schedstat").read_text().split()[0]) / 1e9 for task in pathlib.Path(f"/proc/{pid}/task").iterdir()
               if (task / "comm").read_text().startswith("ZMQbg/IO"))


def daemon(driftd, load):
    before = io_cpu(driftd.daemon.pid)
    run = driftd.run(load)
    return {"rate": run["rate"], "cpu": run["cpu"], "io": (io_cpu(driftd.daemon.pid) - before) / load["messages"]}


def compare(pairs):
    load = {"models": MODELS, "messages": MESSAGES, "form": "json", "rows": 1, "detectors": True, "per_s": PER_S, "nodes": NODES}
    runs = {name: [] for name in RECEIVERS}
    driftd, thrown = Driftd(load), 0
    driftd.run(load)  # rules that have just begun to judge ask for retraining, and that is another bench
    try:
        for _ in range(pairs * ROUNDS_MOST):
            found = {"raw": loop(load), "floor": loop(load, GATHER_US), "daemon": daemon(driftd, load)}
            if min(run["rate"] for run in found.values()) < PACE_KEPT * PER_S:
                thrown += 1
                continue
            for name, run in found.items():
                runs[name].append(run)
            if len(runs["raw"]) == pairs:
                break
    finally:
        driftd.close()
    if not runs["raw"]:
        print("paced: the nodes could not keep their pace: this machine is too busy")
        return None
    result = {"load": load, "rounds": len(runs["raw"]), "thrown_away": thrown}
    for name, found in runs.items():
        for what in ("rate", "cpu", "io"):
            result[f"{name}_{what}"] = spread([run[what] * (1 if what == "rate" else 1e6) for run in found])
        result[f"{name}_over_raw"] = spread([run["cpu"] / raw["cpu"] for run, raw in zip(found, runs["raw"])])
        rest = result[f"{name}_cpu"]["median"] - result[f"{name}_io"]["median"]
        print(f"{'paced, 200,000/s, 16 nodes':26}  {RECEIVERS[name]}: CPU over raw {words(result[f'{name}_over_raw'])}, "
              f"{words(result[f'{name}_cpu'])} CPU-s a million messages, {words(result[f'{name}_io'])} of it libzmq's I/O thread, "
              f"{rest:.2f} the rest; {result[f'{name}_rate']['median'] / 1e6:.2f} M events/s", flush=True)
    return result
