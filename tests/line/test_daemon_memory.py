"""The memory that the log says the configuration allows, against what the daemon takes when it is used up."""
import contextlib
import json
import os
import unittest

import line
from line import Daemon

MODELS, WINDOW = 2000, 128
METRICS = ("accuracy", "latency_ms", "processed_fps", "brightness", "mean_confidence")
KPIS = """
budgets:
  - models: "*"
    window: 128
    min_events: 1
    kpis:
      accuracy: {min: 0.1}
      latency_ms: {max: 400, over: p95}
      processed_fps: {min: 0.1}
"""
RULES = """
    drift:
      - {metric: accuracy, detector: cusum, direction: down}
      - {metric: brightness, detector: page_hinkley}
      - {metric: mean_confidence, detector: adwin}
      - {metric: latency_ms, detector: ewma, direction: up}
"""


WIDE, VALUES = 64, 256  # metrics of a model: as many as are kept; values of a window
LONG = """
budgets:
  - models: "*"
    window: 256
    min_events: 1
    kpis:
      accuracy: {min: 0.1}
"""


class Group:
    """A control group with a limit of memory, of either version, where one can be made; else the test is skipped."""

    def __init__(self, test, limit):
        with open("/proc/self/cgroup") as file:
            paths = {controllers: path for _, controllers, path in (row.strip().split(":", 2) for row in file)}
        for root, path, name in (("/sys/fs/cgroup/memory", paths.get("memory"), "memory.limit_in_bytes"),
                                 ("/sys/fs/cgroup", paths.get(""), "memory.max")):
            self.folder = f"{root}/driftd-check-{os.getpid()}"
            self.home = f"{root}{path}/cgroup.procs"
            if path is None or not os.path.exists(self.home):
                continue
            try:
                os.mkdir(self.folder)
                self.write(f"{self.folder}/{name}", limit)
                return
            except OSError:
                self.remove()
        test.skipTest("no control group with a limit of memory can be made here")

    def write(self, path, value):
        with open(path, "w") as file:
            file.write(str(value))

    def remove(self):
        try:
            os.rmdir(self.folder)
        except OSError:
            pass

    @contextlib.contextmanager
    def inside(self):
        """What is started within stays in the group."""
        self.write(f"{self.folder}/cgroup.procs", os.getpid())
        try:
            yield
        finally:
            self.write(self.home, os.getpid())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()


class Memory(unittest.TestCase):
    def resident(self, daemon):
        with open(f"/proc/{daemon.process.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def fill(self, daemon):
        """Every model that may be, with all that it keeps, and as many again that may not."""
        node = daemon.publisher()
        row = {name: [0.5 + i % 7 / 100 for i in range(WINDOW)] for name in METRICS}
        payload = json.dumps(row).encode()
        for number in range(MODELS * 2):
            node.send_multipart([b"metrics/shop/model-%d/v1" % number, payload])
        return daemon.wait_status(lambda status: status.get("events", 0) == MODELS * WINDOW and
                                  status.get("dropped", {}).get("too_many_models") == MODELS * WINDOW)

    def check(self, budgets):
        with Daemon(budgets=budgets, metrics_more=f"max_models: {MODELS}, queue: 100, max_message: 1MiB") as daemon:
            said = daemon.wait_log(lambda entry: entry["msg"].startswith("the memory that the configuration allows"))
            self.assertEqual(said["max_models"], MODELS)
            self.assertAlmostEqual(said["queue_of_a_connection_mb"], 4 * 2**20 / 1e6, places=2)
            before = self.resident(daemon)
            self.fill(daemon)
            after = self.resident(daemon)
            if line.sanitized():
                self.skipTest("a sanitizer's own memory says nothing about the daemon's")
            self.assertLess(after / 1e6, said["ceiling_mb"])
            model = (after - before) / MODELS / 1e3
            self.assertLess(model, said["model_kb"])
            # And it is no idle figure either.
            self.assertGreater(model, said["model_kb"] / 8)
            self.assertGreater(said["model_of_64_metrics_kb"], said["model_kb"])

    def test_budgets(self):
        self.check(KPIS)

    def test_detectors(self):
        self.check(KPIS + RULES)

    def wide(self, metrics, values):
        """A message of as many metrics, each with as many values."""
        return json.dumps({"accuracy": [0.9] * values,
                           **{f"m{i}": [i + n % 7 / 10 for n in range(values)] for i in range(metrics - 1)}}).encode()

    def events_of(self, daemon, number):
        return daemon.ask("model", model=f"shop/model-{number}/v1").get("events", 0)

    def test_models_of_many_metrics(self):
        """The ceiling is counted by models of five metrics. A flood of models with 64 and long windows does not pass it:
        what is beyond is refused and counted, who is in goes on, and with more room others come in."""
        flood, room = 1500, "max_models: 1500, queue: 100"
        with Daemon(budgets=LONG, metrics_more=room) as daemon:
            said = daemon.wait_log(lambda entry: entry["msg"].startswith("the memory that the configuration allows"))
            self.assertLess(said["models_mb"], flood * said["model_of_64_metrics_kb"] / 1e3)
            before = self.resident(daemon)
            node = daemon.publisher()
            payload = self.wide(WIDE, VALUES)
            for number in range(flood):
                node.send_multipart([b"metrics/shop/model-%d/v1" % number, payload])
            status = daemon.wait_status(lambda status: status.get("events", 0) + status.get("dropped", {}).get(
                "too_many_models", 0) == flood * VALUES, 300)
            grown, memory = self.resident(daemon) - before, status["memory"]
            known = sum(status["models"].values())
            self.assertGreater(memory["refused"], 0)
            self.assertLessEqual(memory["models"], memory["models_most"])
            self.assertGreater(memory["models"], memory["models_most"] * 0.9)
            self.assertLess(known, flood)
            self.assertGreater(known, 10)
            self.assertGreater(status["dropped"]["too_many_models"], 0)
            if not line.sanitized():  # what was granted was taken, and hardly more
                self.assertLess(grown, memory["models_most"] + 32e6)
                self.assertLess(grown, flood * VALUES * WIDE * 4 / 2)  # half of what the flood alone would fill
                self.assertGreater(grown, memory["models_most"] * 0.4)
                self.assertLess(self.resident(daemon) / 1e6, said["ceiling_mb"])
            warning = daemon.wait_log(lambda entry: entry["msg"].startswith("memory is at its ceiling"))
            self.assertEqual(warning["models"], known)

            # Who is in goes on; a metric that is new is left out of its events.
            heard = self.events_of(daemon, 0)
            for _ in range(5):
                node.send_multipart([b"metrics/shop/model-0/v1", self.wide(3, 1)])
            daemon.wait_status(lambda _: self.events_of(daemon, 0) == heard + 5)
            last = f"metrics/shop/model-{flood - 1}/v1".encode()
            self.assertEqual(self.events_of(daemon, flood - 1), 0)

            # With more room others come in.
            with open(daemon.config) as file:
                text = file.read()
            daemon.write_config(text.replace(room, "max_models: 3000, queue: 100"))
            self.assertTrue(daemon.ask("reload")["ok"])
            node.send_multipart([last, self.wide(3, 1)])
            daemon.wait_status(lambda _: self.events_of(daemon, flood - 1) == 1)
            self.assertEqual(sum(entry["msg"].startswith("memory is at its ceiling") for entry in daemon.events), 1)

    def test_metrics_of_known_models(self):
        """Models are made small, and then grow: by metrics that come later, and by weights."""
        with Daemon(budgets=LONG, metrics_more="max_models: 200, queue: 100") as daemon:
            node = daemon.publisher()
            for number in range(200):
                node.send_multipart([b"metrics/shop/model-%d/v1" % number, b'{"accuracy": 0.9}'])
            daemon.wait_status(lambda status: status.get("events", 0) == 200)
            payload = self.wide(WIDE, 1)
            for number in range(200):
                node.send_multipart([b"metrics/shop/model-%d/v1" % number, payload])
            status = daemon.wait_status(lambda status: status.get("events", 0) == 400)
            memory = status["memory"]
            self.assertGreater(memory["refused"], 0)
            self.assertLessEqual(memory["models"], memory["models_most"])
            self.assertNotIn("too_many_models", status["dropped"])  # no model was refused, and no event
            self.assertEqual(len(daemon.ask("model", model="shop/model-0/v1")["metrics"]), WIDE)
            self.assertEqual(len(daemon.ask("model", model="shop/model-199/v1")["metrics"]), 1)
            self.assertEqual(self.events_of(daemon, 199), 2)
            daemon.wait_log(lambda entry: entry["msg"].startswith("memory is at its ceiling"))

    def test_less_than_the_configuration_allows(self):
        """In a control group that has less than the ceiling, less is made; the kernel kills nobody."""
        if line.sanitized():
            self.skipTest("a sanitizer's own memory is more than the limit")
        limit, flood = 256 << 20, 1500
        with Group(self, limit) as group:
            daemon = Daemon(budgets=LONG, metrics_more="max_models: 100000, queue: 100")
            self.addCleanup(daemon.clean)
            with group.inside():
                daemon.start()
            said = daemon.wait_log(lambda entry: "would not fit into the memory that this process may have" in entry["msg"])
            self.assertAlmostEqual(said["limit_mb"], limit / 1e6, places=1)
            self.assertAlmostEqual(said["kept_mb"], limit * 7 / 8e6, places=1)
            self.assertGreater(said["ceiling_mb"], said["limit_mb"])
            node, payload = daemon.publisher(), self.wide(WIDE, VALUES)
            for number in range(flood):
                node.send_multipart([b"metrics/shop/model-%d/v1" % number, payload])
            status = daemon.wait_status(lambda status: status.get("events", 0) + status.get("dropped", {}).get(
                "too_many_models", 0) == flood * VALUES, 300)
            self.assertGreater(status["memory"]["refused"], 0)
            self.assertLessEqual(status["memory"]["models"], status["memory"]["models_most"])
            self.assertLess(self.resident(daemon), limit)
            self.assertIsNone(daemon.process.poll())
            daemon.clean()

    def test_more_than_the_machine_has(self):
        with Daemon(metrics_more="max_models: 10000000", budgets=KPIS.replace("128", "1000000")) as daemon:
            daemon.wait_log(lambda entry: "would not fit into this machine's memory" in entry["msg"])


if __name__ == "__main__":
    unittest.main()
