"""curve.py: what CURVE takes: of the rate, and of the daemon's CPU.

Two daemons as in run.py, at work and warm, one with `security: {curve: on}` and one without, in turns (A-B-A-B). What is
encrypted cannot be replayed, so both drink from a real libzmq publisher (bench/publisher.c), the same program with the same
traffic, which waits while its queue is full and drops nothing; `seq` says whether anything is missing, and then the run has
failed. Its CPU is counted apart from the daemon's. It encrypts on the same machine: on two cores its work competes with
the daemon's, and the ratio of rates holds for both together. The ratio of the daemon's CPU does not. Beside them stands a bare
libzmq receive loop with CURVE over one without: what of the ratio is libzmq's and libsodium's.

    PAIRS=9 MESSAGES=2000000 ONLY=curve make bench    # it takes a part of these
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

from daemon import BUILD, MODELS, Driftd, free_port, spread, words

SECURITY = "security: {{curve: on, server_key: {folder}/server.secret, clients: {folder}/clients.yaml}}"


class Keys:
    """The daemon's key and a node's, as an operator makes them."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        server, node = self.keygen("server", "--server"), self.keygen("node")
        (self.folder / "clients.yaml").write_text(node["client"] + "\n")
        self.public, self.server_secret = server["public_key"], self.secret("server")
        self.pair = [self.public, self.secret("node")]
        self.security = SECURITY.format(folder=folder)

    def keygen(self, *words_):
        command = [BUILD / "driftc", "--json", "keygen", *words_]
        return json.loads(subprocess.run(command, cwd=self.folder, stdout=subprocess.PIPE, check=True, text=True).stdout)

    def secret(self, name):
        return re.search(r'secret-key = "(.{40})"', (self.folder / f"{name}.secret").read_text()).group(1)


def publisher(port, load, first, keys=()):
    command = [BUILD / "bench/publisher", f"tcp://127.0.0.1:{port}", load["models"], load["messages"], load["form"],
               load["rows"], first, *keys]
    return [subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True)]


def drain(load, server=(), node=()):
    """A bare receive loop, with the key of a server or without."""
    port = free_port()
    loop = subprocess.Popen([str(BUILD / "bench/rawdrain"), f"tcp://127.0.0.1:{port}", str(load["messages"]), "1000", *server],
                            stdout=subprocess.PIPE, text=True)
    assert loop.stdout.readline() == "ready\n"
    sources = publisher(port, load, 0, node)
    took = json.loads(loop.communicate(timeout=300)[0])
    return {"rate": load["messages"] / took["seconds"], "cpu": took["cpu_seconds"] / load["messages"], "sources": sources}


def source_cpu(run):
    """CPU-seconds of what sent, which ends now if it has not."""
    return sum(json.loads(source.communicate(timeout=60)[0])["cpu_seconds"] for source in run["sources"])


def measure(name, load, keys, pairs):
    """Runs of four: the daemon without and with CURVE, the bare loop without and with."""
    runs = {"off": [], "on": [], "raw_off": [], "raw_on": []}
    off = Driftd(load, publisher)
    try:
        on = Driftd(load, lambda port, some, first: publisher(port, some, first, keys.pair), keys.security)
        try:
            for pair in range(pairs):
                runs["off"].append(off.run(load))
                runs["on"].append(on.run(load))
                runs["raw_off"].append(drain(load))
                runs["raw_on"].append(drain(load, [keys.server_secret], keys.pair))
                for side in runs.values():
                    side[-1]["source"] = source_cpu(side[-1]) / load["messages"]
                if sys.stderr.isatty():
                    print(f"\r  {name}: pair {pair + 1} of {pairs} ", end="", file=sys.stderr, flush=True)
        finally:
            on.close()
    finally:
        off.close()
    return runs


def compare(name, rows, messages, pairs):
    load = {"models": MODELS, "messages": -(-messages // MODELS) * MODELS, "form": "json", "rows": rows, "detectors": True}
    with tempfile.TemporaryDirectory() as folder:
        runs = measure(name, load, Keys(folder), pairs)
    result = {"load": load}
    for side, found in runs.items():
        result[f"{side}_messages_per_s"] = spread([run["rate"] for run in found])
        result[f"{side}_cpu_s_per_million"] = spread([run["cpu"] * 1e6 for run in found])
        result[f"{side}_publisher_cpu_s_per_million"] = spread([run["source"] * 1e6 for run in found])
    for what in ("rate", "cpu", "source"):
        for before in ("", "raw_"):
            pairs_ = zip(runs[before + "on"], runs[before + "off"])
            result[f"{before}{what}_ratio"] = spread([with_[what] / without[what] for with_, without in pairs_])
    print(f"{name:26}  rate on over off {words(result['rate_ratio'])}   CPU {words(result['cpu_ratio'])}   "
          f"a bare loop: {words(result['raw_rate_ratio'])}, {words(result['raw_cpu_ratio'])}   "
          f"{result['on_messages_per_s']['median'] / 1e6:.3f} M messages/s of {result['off_messages_per_s']['median'] / 1e6:.3f}, "
          f"CPU-s a million {result['on_cpu_s_per_million']['median']:.2f} of {result['off_cpu_s_per_million']['median']:.2f} "
          f"(bare {result['raw_on_cpu_s_per_million']['median']:.2f} of {result['raw_off_cpu_s_per_million']['median']:.2f}; "
          f"publisher {result['on_publisher_cpu_s_per_million']['median']:.2f} of "
          f"{result['off_publisher_cpu_s_per_million']['median']:.2f})", flush=True)
    return result
