#!/usr/bin/python3
"""demo.py - the main job of driftd, on real images, told as it happens. `make demo` runs it.

A camera goes bad, the accuracy of the model that looks through it falls below its budget, driftd asks for a
retraining, a trainer retrains on what the camera sees now, and the model is well again. Everything told here was heard
on the sockets that any program may use: the node's metrics, driftd's events and its control socket, and in what node
and trainer print.
"""
import argparse
import importlib.util
import os
import signal
import sys
import time

sys.dont_write_bytecode = True  # a run leaves nothing behind, here neither
NEEDS = {"zmq": "python3-zmq", "numpy": "python3-numpy", "scipy": "python3-scipy", "sklearn": "python3-sklearn"}
SYSTEM_PYTHON = "/usr/bin/python3"
LIMIT_S = 150.0
AFTER_RECOVERY_S = 4.0     # how long the end is watched, for a second request that must not come
AFTER_GIVING_UP_BACKOFFS = 2.5


class Failed(Exception):
    """The story did not end as it should; the text says how."""


class Interrupted:
    """Set by Ctrl-C, SIGTERM and SIGHUP, and looked at between two steps: nothing is ever left half started."""

    def __init__(self):
        self.by: int | None = None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note)

    def _note(self, number: int, _frame) -> None:
        self.by = number


def use_a_python_that_can() -> None:
    """Goes on under Debian's Python where this one lacks the modules."""
    missing = [package for module, package in NEEDS.items() if importlib.util.find_spec(module) is None]
    if not missing:
        return
    here = os.path.realpath(sys.executable)
    if os.path.exists(SYSTEM_PYTHON) and os.path.realpath(SYSTEM_PYTHON) != here:
        os.execv(SYSTEM_PYTHON, [SYSTEM_PYTHON, os.path.abspath(__file__), *sys.argv[1:]])
    sys.exit(f"demo: {' '.join(missing)} missing for {here}; `make deps` installs what the demo needs")


class Story:
    """Follows the line from the first good batch to the end, and tells what matters."""

    def __init__(self, line, screen, budget: float, window: int):
        self.line, self.screen, self.budget, self.window = line, screen, budget, window
        self.capped = line.plan.camera == "capped"
        self.accuracy: dict[str, list[float]] = {}  # model -> each batch
        self.first = self.serving = self.unrecoverable = None
        self.bad_from: tuple[float, int] | None = None  # when, and which batch of the first version
        self.triggered_s = self.recovered_s = self.gave_up_s = None
        self.requested: list[str] = []
        self.state, self.asked_s, self.progress, self.told_progress_s = "starting", 0.0, "", 0.0

    def hear(self, news) -> None:
        if news.kind == "metrics":
            self.on_batch(news.subject, news.body)
        elif news.kind == "event":
            self.on_event(news.subject, news.body)
        elif news.subject == "node":
            self.on_node(news.body)
        elif news.subject == "trainer":
            self.on_trainer(news.body)

    def on_batch(self, model: str, event: dict) -> None:
        history = self.accuracy.setdefault(model, [])
        history.append(event["accuracy"])
        self.serving = model
        self.first = self.first or model
        recent = history[-self.window:]
        mean = sum(recent) / len(recent)
        if model != self.first and self.recovered_s is None and len(recent) == self.window and mean >= self.budget:
            self.recovered_s = time.monotonic()
            self.screen.mark("R")
            self.screen.say(f"accuracy   {mean:.3f} over the last {self.window} batches of {model}: back within its "
                            f"budget of {self.budget}", "\033[32m")
        if time.monotonic() - self.asked_s > 0.5:
            self.asked_s = time.monotonic()
            self.state = self.line.state_of(model) or "no answer"
        status = (f"{model}  accuracy {mean:.3f} (at least {self.budget})  {event['latency_ms']:.1f} ms  "
                  f"{event['processed_fps']:.0f} pictures/s  driftd: {self.state}")
        if self.progress and self.screen.live:
            status += f"  trainer: {self.progress}"
        self.screen.add(event["accuracy"], status)

    def on_node(self, text: str) -> None:
        if text.startswith("camera:") and self.bad_from is None:
            self.bad_from = (time.monotonic(), len(self.accuracy.get(self.first, [])))
            self.screen.mark("C")
        self.screen.say(f"node       {text}")

    def on_trainer(self, text: str) -> None:
        if "%: " in text[:8]:  # progress
            self.progress = text
            if self.screen.live or time.monotonic() - self.told_progress_s < 1.5:
                return
            self.told_progress_s = time.monotonic()
        else:
            self.progress = ""
        self.screen.say(f"trainer    {text}")

    def on_event(self, kind: str, event: dict) -> None:
        name, data = kind.removeprefix("driftd."), event.get("data", {})
        if name == "retraining.requested":
            self.requested.append(data["request"])
            self.triggered_s = self.triggered_s or time.monotonic()
            self.screen.mark("T")
            trigger = data["trigger"]
            self.screen.say(f"driftd     TRIGGER {trigger['rule']}: {trigger['observed']:.3f} over {trigger['window']} "
                            f"batches, {trigger['failures']} times in a row; a retraining of {event['subject']} is "
                            "requested", "\033[1m")
        elif name == "budget.violated":
            broken = ", ".join(f"{one['metric']} ({one['over']}) {one['observed']:.3f}" for one in data["violations"])
            self.screen.say(f"driftd     budget violated by {event['subject']}: {broken}")
        elif name == "model.unrecoverable":
            self.unrecoverable, self.gave_up_s = event["subject"], time.monotonic()
            self.screen.say(f"driftd     {event['subject']} is unrecoverable: no more requests until a person says "
                            "otherwise", "\033[1m")
        elif name in ("retraining.dead", "retraining.cancelled", "retraining.superseded", "frames.lost", "alarm"):
            self.screen.say(f"driftd     {name}: {event.get('subject', '')}")

    # --- how it ends ---

    def ended(self) -> bool:
        now = time.monotonic()
        if self.capped:
            quiet_s = AFTER_GIVING_UP_BACKOFFS * self.line.plan.backoff_s
            return self.gave_up_s is not None and now > self.gave_up_s + quiet_s
        return self.recovered_s is not None and now > self.recovered_s + AFTER_RECOVERY_S

    def figures(self) -> dict:
        """Mean accuracy before (good batches), drifted (the last window before the swap), after (the new version)."""
        old = self.accuracy.get(self.first, [])
        good = old[:self.bad_from[1]] if self.bad_from else old
        new = self.accuracy.get(self.serving, []) if self.serving != self.first else []
        return {"before": mean_of(good), "drifted": mean_of(old[-self.window:]), "after": mean_of(new)}


def mean_of(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def tell(story: Story, line, interrupted: Interrupted) -> None:
    deadline_s = time.monotonic() + LIMIT_S
    while not story.ended():
        if interrupted.by:
            return
        if time.monotonic() > deadline_s:
            what = "driftd has not given up" if story.capped else "the model is not well again"
            raise Failed(f"after {LIMIT_S:.0f} s {what}")
        for news in line.news(0.1):
            story.hear(news)
    requests = line.requests()
    if not story.capped and len(requests) != 1:
        raise Failed(f"{len(requests)} requests were made where one was needed")
    if story.capped and len(requests) > line.give_up_after:
        raise Failed(f"{len(requests)} requests were made where {line.give_up_after} are allowed")


def summary(story: Story, line, screen, plan) -> None:
    figures, requests = story.figures(), line.requests()
    bad_s, bad_batch = story.bad_from
    lines = ["", f"What happened ({plan.dataset}, {plan.camera}, seed {plan.seed})",
             "  accuracy is measured on images that no trainer ever saw",
             f"  accuracy before          {figures['before']:.3f}",
             f"  accuracy drifted         {figures['drifted']:.3f}   budget: at least {story.budget} over "
             f"{story.window} batches"]
    if plan.camera == "capped":
        batches = len(story.accuracy[story.first]) - bad_batch
        lines += [f"  bad batches              {batches}: a request for each three of them would be {batches // 3}",
                  f"  requests made            {len(requests)}: held by a back-off of {plan.backoff_s} s and given up "
                  f"after {line.give_up_after} in vain"]
    else:
        lines += [f"  accuracy after           {figures['after']:.3f}   {story.serving}",
                  f"  bad picture to trigger   {story.triggered_s - bad_s:.1f} s",
                  f"  bad picture to recovery  {story.recovered_s - bad_s:.1f} s",
                  f"  requests made            {len(requests)} ({', '.join(one['strategy'] for one in requests)})"]
    for text in lines:
        screen.plain(text)


def what_next(screen, line, stays: bool, build: str) -> None:
    rows = [("python3 examples/vision/demo.py --camera blur --strategy pbt", "another drift, another strategy"),
            ("python3 examples/vision/demo.py --camera capped", "a drift no training can cure: no storm of requests"),
            ("python3 examples/vision/demo.py --stay", "keeps the line running, to look at it with driftc"),
            (f"{build}/driftd --help; cat conf/driftd.yaml", "a daemon of your own"),
            ("cat examples/minimal/node.py examples/minimal/trainer.py", "your own node and trainer, a screenful each"),
            ("make check", "every test")]
    if stays:
        socket = line.endpoint("control")
        rows = [(f"{build}/driftc --socket {socket} {command}", "") for command in ("status", "models", "requests")]
    screen.plain("\nWhat to type next" + (" (in another terminal; Ctrl-C here ends it)" if stays else ""))
    width = max(len(command) for command, _ in rows)
    for command, why in rows:
        screen.plain(f"  {command.ljust(width)}  {why}".rstrip())


def parse(datasets: list[str], cameras: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A camera goes bad, driftd notices, a trainer retrains.")
    parser.add_argument("--dataset", choices=("fashion", "digits"), help=f"default: {datasets[0]}")
    parser.add_argument("--camera", choices=cameras, default="rotation", help="what happens to it (%(default)s)")
    parser.add_argument("--strategy", choices=("grid_search", "bayesian", "pbt"),
                        help="default: driftd chooses the cheapest")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fast", action="store_true", help="digits, and everything in quick succession")
    parser.add_argument("--stay", action="store_true", help="keep running after the story's end, until Ctrl-C")
    arguments = parser.parse_args()
    arguments.dataset = arguments.dataset or ("digits" if arguments.fast else datasets[0])
    if arguments.dataset not in datasets:
        parser.error("fashion needs the Debian package dataset-fashion-mnist")
    return arguments


def run(interrupted: Interrupted) -> int:
    use_a_python_that_can()
    import images
    from processes import ACCURACY_MIN, ROOT, WINDOW, ChildDied, Line, Plan
    from screen import Screen
    arguments = parse(images.available(), ["rotation", "blur", "darkness", "capped"])
    name = os.environ.get("BUILD", "build")
    if not (ROOT / name / "driftd").exists():
        sys.exit(f"demo: {name}/driftd is not there; `make` builds it")
    plan = Plan(dataset=arguments.dataset, camera=arguments.camera, choose=arguments.strategy or "cheapest",
                seed=arguments.seed)
    if arguments.fast:
        plan.interval_s, plan.good_batches, plan.step_batches, plan.backoff_s = 0.04, 50, 12, 2
    budget = ACCURACY_MIN[plan.dataset]
    screen, line, status = Screen(budget), Line(ROOT / name, plan), 1
    story = Story(line, screen, budget, WINDOW)
    try:
        line.start()
        for text in introduction(plan, budget, WINDOW):
            screen.plain(text)
        tell(story, line, interrupted)
        if not interrupted.by:
            status = 0
            screen.close()
            summary(story, line, screen, plan)
            what_next(screen, line, arguments.stay, name)
        while arguments.stay and not interrupted.by:
            for news in line.news(0.5):
                story.hear(news)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # nobody reads any more: nothing is left to tell
    except (ChildDied, Failed) as error:
        screen.close()
        print(f"demo: {error}", file=sys.stderr)
    finally:
        line.stop()
    if interrupted.by and status:
        print("demo: interrupted; everything it started is gone", file=sys.stderr)
        return 128 + interrupted.by
    return status


def introduction(plan, budget: float, window: int) -> list[str]:
    what = {"fashion": "Fashion-MNIST: clothes, 28 x 28 pixels",
            "digits": "digits: handwriting, 8 x 8 pixels"}[plan.dataset]
    return [f"A model looks at pictures ({what}) through a camera; the camera will go bad ({plan.camera}).",
            f"Its budget: accuracy at least {budget} on the mean of {window} batches of 64 pictures no trainer sees.",
            "In the chart: C the camera goes bad, T driftd asks for a retraining, R accuracy has recovered.", ""]


if __name__ == "__main__":
    sys.exit(run(Interrupted()))
