#!/usr/bin/python3
"""The line on real images: a camera that goes bad, the real driftd, a trainer that really retrains (examples/vision).

On scikit-learn's digits, for speed; every figure is measured on images that no trainer ever saw.
"""
import contextlib
import datetime
import importlib.util
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path
from unittest import mock

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples" / "vision"))
MISSING = [name for name in ("zmq", "numpy", "scipy", "sklearn") if importlib.util.find_spec(name) is None]
BUILD = ROOT / os.environ.get("BUILD", "build")
needs_modules = unittest.skipIf(MISSING, f"examples/vision needs {', '.join(MISSING)}: apt-get install python3-zmq "
                                         "python3-numpy python3-scipy python3-sklearn")
if not MISSING:
    import numpy as np
    from scipy import integrate, stats

    import demo
    import images
    import node
    import processes
    import strategies
    import trainer
    import zmq
    from camera import KINDS, Camera
    from model import Network, Settings, first_version
    from recent import RecentImages
    from registry import Registry
    from screen import Screen

SEED = 7


def through(camera, pool, shot=9, batch=50):
    shots = [camera.take(pool.pixels[at:at + batch], shot) for at in range(0, len(pool.labels), batch)]
    return pool._replace(pixels=np.concatenate(shots))


@needs_modules
class Pools(unittest.TestCase):
    def test_no_image_is_in_two_pools(self):
        for dataset in images.available():
            pools = [part(dataset) for part in (images.training, images.feedback, images.serving)]
            ids = [set(pool.ids) for pool in pools]
            self.assertEqual(sum(map(len, ids)), len(set.union(*ids)), dataset)
            self.assertTrue(all(len(pool.labels) >= 400 for pool in pools))
            self.assertTrue(all(set(pool.labels) == set(range(10)) for pool in pools))
            # Not only by name: no picture of the serving stream is pixel for pixel one of those a trainer gets.
            served = {picture.tobytes() for picture in pools[2].pixels}
            known = {picture.tobytes() for pool in pools[:2] for picture in pool.pixels}
            self.assertFalse(served & known, dataset)

    def test_the_trainer_reads_neither_serving_nor_feedback_images(self):
        for name in ("trainer.py", "strategies.py", "model.py"):
            source = (ROOT / "examples" / "vision" / name).read_text()
            self.assertNotIn("images.serving", source)
            self.assertNotIn("images.feedback", source)

    def test_a_camera_declines_by_the_number_of_the_shot(self):
        camera = Camera("rotation", good_shots=3, shots_per_step=2, seed=SEED)
        self.assertEqual([camera.step(shot) for shot in range(13)], [0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 4])
        pool = images.serving("digits").take(np.arange(20))
        for kind in KINDS:
            one, two = (Camera(kind, 0, 1, SEED).take(pool.pixels, 5) for _ in range(2))
            self.assertTrue(np.array_equal(one, two), kind)
        dark = Camera("capped", 0, 1, SEED).take(pool.pixels, 0)
        self.assertLess(dark.mean(), 5)

    def test_recent_images_are_bounded_newest_first_and_told_by_time(self):
        with tempfile.TemporaryDirectory() as folder:
            recent = RecentImages(folder)
            self.assertIsNone(recent.newest(10))
            pool = images.feedback("digits")
            for at in range(70):
                recent.add(pool.take(np.arange(2 * at, 2 * at + 2)))
            self.assertEqual(len(list(Path(folder).iterdir())), 64)
            self.assertEqual(list(recent.newest(3).ids), list(pool.ids[[138, 139, 136]]))
            self.assertEqual(len(recent.newest(1000).labels), 128)
            self.assertIsNone(recent.newest(10, since_s=time.time() + 1))


@needs_modules
class Strategies(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        camera = Camera("rotation", 0, 1, SEED)
        cls.old = through(Camera("steady", 0, 1, SEED), images.training("digits"))
        # Two shots of each picture, as the folder of recent images would have them.
        cls.recent = images.Images(*(np.concatenate(pair) for pair in zip(
            through(camera, images.feedback("digits")), through(camera, images.feedback("digits")))))
        cls.unseen = through(camera, images.serving("digits"))
        cls.first = first_version(cls.old.pixels, cls.old.labels, SEED)

    def retrain(self, name, parameters):
        notes = []
        problem = strategies.Problem(self.recent, self.old, SEED)
        result = strategies.STRATEGIES[name](problem, parameters, lambda fraction, note: notes.append(fraction))
        after = result.finish(self.recent, self.old, SEED).accuracy(self.unseen.pixels, self.unseen.labels)
        before = self.first.accuracy(self.unseen.pixels, self.unseen.labels)
        self.assertLess(before, 0.5)
        self.assertGreater(after, 0.85, f"{name}: {before:.3f} -> {after:.3f}")
        self.assertEqual(notes, sorted(notes))
        self.assertAlmostEqual(notes[-1], 1.0)
        return result

    def test_grid_search_beats_the_drifted_model(self):
        self.assertEqual(self.retrain("grid_search", {"grid": "small"}).trials, 12)

    def test_bayesian_beats_the_drifted_model(self):
        self.assertEqual(self.retrain("bayesian", {"trials": 10}).trials, 10)

    def test_population_based_training_beats_the_drifted_model(self):
        self.assertEqual(self.retrain("pbt", {"population": 6}).trials, 6)

    def test_validation_images_are_never_trained_on(self):
        problem = strategies.Problem(self.recent, self.old, SEED)
        held_back = set(problem.validation.ids)
        learned = np.count_nonzero(~np.isin(self.recent.ids, list(held_back)))
        self.assertTrue(held_back)
        self.assertEqual(len(problem.train_y), learned + int(learned * 0.2 / 0.8))


class KnownLandscape:
    """In the place of a Problem: accuracy is a known function of the settings, 1 at a learning rate of 2e-3."""

    seed = SEED
    features = None

    def __init__(self):
        self.asked = []

    def train(self, network, _epochs):
        settings = network.settings
        self.asked.append(settings)
        return 1 - (np.log10(settings.learning_rate) - np.log10(2e-3)) ** 2 - 0.01 * (np.log10(settings.l2) + 3) ** 2


@needs_modules
class WhatTheirNamesSay(unittest.TestCase):
    def test_grid_search_tries_each_combination_once(self):
        landscape = KnownLandscape()
        result = strategies.grid_search(landscape, {"grid": "large"}, lambda *_: None)
        grid = strategies.GRIDS["large"]
        self.assertEqual(len(landscape.asked), 4 * 4 * 4)
        self.assertEqual(set(landscape.asked), {Settings(rate, l2, hidden) for rate in grid["learning_rate"]
                                                for l2 in grid["l2"] for hidden in grid["hidden"]})
        self.assertEqual(result.accuracy, max(landscape.train(Network(s, 0), 1) for s in set(landscape.asked)))

    def test_expected_improvement_is_the_integral_it_stands_for(self):
        for mean, deviation, best in ((0.8, 0.05, 0.82), (0.9, 0.01, 0.82), (0.5, 0.2, 0.9)):
            expected, _ = integrate.quad(lambda f: max(f - best - 0.005, 0) * stats.norm.pdf(f, mean, deviation),
                                         mean - 10 * deviation, mean + 10 * deviation, points=[best + 0.005], limit=200)
            got = strategies.expected_improvement(np.array([mean]), np.array([deviation]), best, 0.005)[0]
            self.assertAlmostEqual(got, expected, places=7)

    def test_bayesian_goes_where_the_model_promises_most(self):
        landscape = KnownLandscape()
        result = strategies.bayesian(landscape, {"trials": 16}, lambda *_: None)
        off = [abs(np.log10(settings.learning_rate / 2e-3)) for settings in landscape.asked]
        self.assertGreater(result.accuracy, 0.97)
        # The first five fill the space; what comes after knows where to look.
        self.assertLess(np.median(off[5:]), 0.5 * np.median(off[:5]))

    def test_pbt_copies_the_best_and_changes_its_settings(self):
        x, y = np.random.default_rng(SEED).normal(size=(60, 4)), np.arange(60) % 3
        population = [Network(Settings(1e-3 * (i + 1), 1e-3, 32), i) for i in range(8)]
        for network in population:
            network.train(x, y, 1)
        accuracies = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
        before = list(population)
        strategies.exploit_and_explore(population, accuracies, np.random.default_rng(SEED))
        self.assertEqual(population[2:], before[2:])
        for heir in population[:2]:
            parents = [parent for parent in before[6:] if np.array_equal(parent.net.coefs_[0], heir.net.coefs_[0])]
            self.assertEqual(len(parents), 1)
            ratio = heir.settings.learning_rate / parents[0].settings.learning_rate
            self.assertTrue(any(abs(ratio - factor) < 1e-9 for factor in (0.8, 1.25)), ratio)
            heir.train(x, y, 1)  # and goes its own way from here
            self.assertFalse(np.array_equal(parents[0].net.coefs_[0], heir.net.coefs_[0]))


@needs_modules
class Registers(unittest.TestCase):
    def test_a_version_is_served_only_once_promoted(self):
        with tempfile.TemporaryDirectory() as folder:
            registry = Registry(folder)
            pool = images.training("digits")
            self.assertIsNone(registry.served())
            registry.save("v1", first_version(pool.pixels[:200], pool.labels[:200], SEED, 2), {})
            self.assertIsNone(registry.served())
            self.assertEqual(registry.next_version(), "v2")
            registry.promote("v1")
            self.assertEqual(registry.served(), "v1")
            self.assertGreater(registry.load("v1").accuracy(pool.pixels[:200], pool.labels[:200]), 0.3)


@needs_modules
class OnTheWire(unittest.TestCase):
    """What node and trainer say, heard by sockets of our own."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.context = zmq.Context()

    def tearDown(self):
        self.context.destroy(linger=0)
        self.folder.cleanup()

    def test_the_node_numbers_its_messages_by_topic_and_tells_the_last_in_its_beacon(self):
        publisher = node.Publisher("n1", f"ipc://{self.folder.name}/nowhere", f"ipc://{self.folder.name}/watch")
        sub = self.context.socket(zmq.SUB)
        sub.connect(f"ipc://{self.folder.name}/watch")
        sub.subscribe("")
        self.addCleanup(sub.close)
        while not sub.poll(10):  # until the subscription has arrived
            publisher.metrics("p/m/v1", {"accuracy": 0.9})
        first = json.loads(sub.recv_multipart()[1])["seq"]
        publisher.metrics("p/m/v1", {"accuracy": 0.9})
        publisher.metrics("p/m/v2", {"accuracy": 0.8})
        publisher.beacon()
        heard = [sub.recv_multipart() for _ in range(3)]
        publisher.socket.close(linger=0)
        events = [json.loads(body) for _, body in heard]
        self.assertEqual([topic for topic, _ in heard], [b"metrics/p/m/v1", b"metrics/p/m/v2", b"beacon/n1"])
        self.assertEqual([event["seq"] for event in events[:2]], [first + 1, 0])
        self.assertEqual(events[2]["topics"], {"p/m/v1": first + 1, "p/m/v2": 0})
        self.assertEqual(len({(event["node"], event["boot"]) for event in events}), 1)

    def answer(self, router, replies):
        """Answers one message after the other; a reply of None is none. Leaves what was said in self.said."""
        for reply in replies:
            frames = router.recv_multipart()
            self.said.append(json.loads(frames[-1]))
            if reply:
                router.send_multipart(frames[:-1] + [json.dumps(reply).encode()])

    def converse(self, replies, say, **members):
        self.said = []
        router = self.context.socket(zmq.ROUTER)
        router.bind(f"ipc://{self.folder.name}/feedback")
        client = trainer.Driftd(f"ipc://{self.folder.name}/jobs", f"ipc://{self.folder.name}/feedback", "t1")
        thread = threading.Thread(target=self.answer, args=(router, replies))
        thread.start()
        try:
            with mock.patch.object(trainer, "REPLY_WITHIN_S", 0.2), contextlib.redirect_stdout(io.StringIO()):
                return client.say({"request": "r1", "attempt": 2}, say, **members)
        finally:
            thread.join()
            client.jobs.close(linger=0)
            client.feedback.close(linger=0)
            router.close(linger=0)

    def test_without_a_reply_the_same_message_is_said_again(self):
        reply = self.converse([None, None, {"ok": True, "lease_s": 5}], "progress", fraction=0.5, note="half")
        self.assertEqual(reply, {"ok": True, "lease_s": 5})
        self.assertEqual(self.said, 3 * [{"say": "progress", "request": "r1", "attempt": 2, "trainer": "t1",
                                          "fraction": 0.5, "note": "half"}])

    def test_unavailable_is_tried_again(self):
        unavailable = {"ok": False, "error": "unavailable", "message": "the disk is full"}
        self.assertTrue(self.converse([unavailable, {"ok": True}], "done", version="v2")["ok"])

    def test_stale_ended_and_cancelled_stop_the_work(self):
        for reply in ({"ok": False, "error": "stale_attempt", "message": "no"},
                      {"ok": False, "error": "ended", "message": "no"},
                      {"ok": True, "lease_s": 5, "cancel": True}):
            with self.assertRaises(trainer.Stopped):
                self.converse([reply], "progress", fraction=0.1, note="")
            self.assertEqual(len(self.said), 1)


@needs_modules
class WholeLine(unittest.TestCase):
    def run_line(self, plan):
        """Runs the story to its end; returns the story, driftd's requests, and the output for a failure's sake."""
        self.assertTrue((BUILD / "driftd").exists(), f"{BUILD}/driftd is not built")
        output = io.StringIO()
        budget = processes.ACCURACY_MIN[plan.dataset]
        whole = processes.Line(BUILD, plan)
        story = demo.Story(whole, Screen(budget, output), budget, processes.WINDOW)
        until = time.monotonic() + 120
        try:
            whole.start()
            while not story.ended():
                self.assertLess(time.monotonic(), until, output.getvalue())
                for news in whole.news(0.1):
                    story.hear(news)
            return story, whole.requests(), output.getvalue()
        finally:
            whole.stop()
            self.assertFalse(whole.folder.exists())

    def plan(self, camera):
        # The camera is as bad as it gets before the trainer can have collected the images it wants, whichever of the two
        # processes is slow: what it learns is what will be served.
        return processes.Plan(dataset="digits", camera=camera, seed=SEED, interval_s=0.03, good_batches=40,
                              step_batches=2, backoff_s=2, trials=8)

    def test_drift_one_request_a_new_version_and_accuracy_is_back(self):
        story, requests, output = self.run_line(self.plan("rotation"))
        self.assertEqual(len(requests), 1, output)
        self.assertEqual(len(story.requested), 1, output)
        self.assertEqual(requests[0]["state"], "DONE", output)
        self.assertEqual(requests[0]["strategy"], "bayesian", output)
        self.assertEqual(requests[0]["model"], f"{processes.MODEL}/v1", output)
        self.assertEqual(story.serving, f"{processes.MODEL}/v2", output)
        figures = story.figures()
        self.assertGreater(figures["before"], 0.9, output)
        self.assertLess(figures["drifted"], 0.5, output)
        self.assertGreater(figures["after"], processes.ACCURACY_MIN["digits"], output)

    def test_what_no_training_can_cure_makes_no_storm(self):
        story, requests, output = self.run_line(self.plan("capped"))
        self.assertEqual(story.unrecoverable, f"{processes.MODEL}/v1", output)
        self.assertEqual(len(requests), processes.GIVE_UP_AFTER, output)
        self.assertTrue(all(request["state"] == "DEAD" for request in requests), output)
        # And they keep apart by the back-off, in an order that created_at tells.
        made = sorted(datetime.datetime.fromisoformat(request["created_at"]).timestamp() for request in requests)
        self.assertTrue(all(later - earlier >= 2 for earlier, later in zip(made, made[1:])), made)
        self.assertEqual(story.serving, f"{processes.MODEL}/v1", output)

    def test_a_child_that_dies_is_named_with_its_last_lines(self):
        whole = processes.Line(BUILD, self.plan("rotation"))
        try:
            whole.start()
            while not any(news.body == "waiting for jobs" for news in whole.news(0.1)):
                pass
            [trainer] = [child for child in whole.children if child.name == "trainer"]
            trainer.process.kill()
            with self.assertRaises(processes.ChildDied) as caught:
                until = time.monotonic() + 60
                while time.monotonic() < until:
                    whole.news(0.1)
            self.assertIn("trainer was ended by SIGKILL", str(caught.exception))
            self.assertIn("waiting for jobs", str(caught.exception))
        finally:
            whole.stop()


@needs_modules
class TheDemo(unittest.TestCase):
    def test_ctrl_c_leaves_nothing_behind(self):
        with tempfile.TemporaryDirectory() as folder:
            process = subprocess.Popen([sys.executable, str(ROOT / "examples/vision/demo.py"), "--fast"], text=True,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       env={**os.environ, "BUILD": str(BUILD), "TMPDIR": folder})
            for text in process.stdout:
                if "serving" in text:
                    break
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=20)
            self.assertEqual(process.returncode, 130, errors)
            self.assertEqual(os.listdir(folder), [])
            self.assertEqual(self.processes_that_mention(folder), [])

    def processes_that_mention(self, text):
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if text.encode() in path.read_bytes():
                    found.append(path.parent.name)
            except OSError:
                pass  # it ended meanwhile
        return found

    def test_a_missing_daemon_is_one_sentence(self):
        with tempfile.TemporaryDirectory() as empty:
            done = subprocess.run([sys.executable, str(ROOT / "examples/vision/demo.py"), "--fast"], text=True,
                                  capture_output=True, env={**os.environ, "BUILD": empty}, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout, "")
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)


if __name__ == "__main__":
    unittest.main()
