"""What a monitor must decide, worked out from the documents: slow, plain, and sharing nothing with the library.

Every value a metric ever had is kept, and everything is worked out anew from that at each event. Values and limits are
whole thousandths, so that a mean on its limit is on it exactly; only `ewma` is a float.
"""
import math

EPOCH_S = 1764000000.0
QUANTILES = {"median": 50, "p90": 90, "p95": 95, "p99": 99}
STATISTICS = ["last", "mean", "min", "max", "median", "p90", "p95", "p99", "ewma"]


class TooClose(Exception):
    """An ewma so near to its limit that single precision may decide either way."""


class Window:
    def __init__(self, size):
        self.size = size
        self.values = []   # thousandths, ever since the start
        self.weights = []
        self.times = []

    def add(self, value, weight, at_s):
        self.values.append(value)
        self.weights.append(weight)
        self.times.append(at_s)

    def recent(self):
        return list(zip(self.values[-self.size:], self.weights[-self.size:]))

    def quantile(self, percent):
        """The smallest value whose cumulative weight reaches percent/100 of the whole."""
        pairs = sorted(self.recent())
        whole = sum(weight for _, weight in pairs)
        reached = 0
        for value, weight in pairs:
            reached += weight
            if 100 * reached >= percent * whole:
                return value
        raise AssertionError("the last one reaches it")

    def ewma(self):
        rate = 2 / (self.size + 1)
        average = float(self.values[0])
        for value in self.values[1:]:
            average += rate * (value - average)
        return average

    def statistic(self, name):
        """(numerator, denominator) of the statistic in thousandths; whole numbers but for ewma."""
        values = [value for value, _ in self.recent()]
        if name == "last":
            return values[-1], 1
        if name == "mean":
            return sum(v * w for v, w in self.recent()), sum(w for _, w in self.recent())
        if name == "min":
            return min(values), 1
        if name == "max":
            return max(values), 1
        if name == "ewma":
            return self.ewma(), 1
        return self.quantile(QUANTILES[name]), 1


class Budget:
    def __init__(self, metric, over, low, high):
        self.metric, self.over, self.low, self.high = metric, over, low, high
        self.violated = False  # by the latest evaluation
        self.held = 0          # evaluations in a row within the budget

    def evaluate(self, window):
        """(observed, limit, sign) when violated, else None; thousandths."""
        top, bottom = window.statistic(self.over)
        breach = None
        for limit, sign in ((self.low, "<"), (self.high, ">")):
            if limit is None or breach:
                continue
            if self.over == "ewma" and abs(top - limit) <= 1e-6 * abs(limit):
                raise TooClose
            if (top < limit * bottom) if sign == "<" else (top > limit * bottom):
                breach = (top / bottom, limit, sign)
        self.violated = breach is not None
        self.held = 0 if self.violated else self.held + 1
        return breach


class Monitor:
    def __init__(self, window, min_events, failures, recover, backoff, stale, budgets):
        self.size, self.min_events, self.needed = window, min_events, failures
        self.recover, self.backoff, self.stale = recover, backoff, stale
        self.budgets = budgets
        self.windows = {}         # in the order they came
        self.failures = 0         # in a row, cleared by a trigger
        self.healthy = 0          # in a row
        self.judged = False
        self.failing_since = None
        self.last_event = None
        self.last_trigger = None
        self.request_end = None
        self.live = False
        self.episode = False
        self.opener = None        # the budget that opened the episode, when known

    # the back-off runs from the later of the last trigger and the end of the request
    def backoff_left(self, now):
        marks = [mark for mark in (self.last_trigger, self.request_end) if mark is not None]
        return max(0, max(marks) + self.backoff - now) if marks else 0

    def episode_at(self, now):
        return self.episode and (self.live or self.backoff_left(now) > 0)

    def triggered(self, at):
        if self.last_trigger is None or at > self.last_trigger:
            self.last_trigger = at
            if not self.episode:
                self.opener = None
            self.episode = True

    def request(self, live, at):
        self.live = live
        if not live and (self.request_end is None or at > self.request_end):
            self.request_end = at

    def state(self, now):
        if self.stale and self.last_event is not None and now - self.last_event >= self.stale:
            return "stale"
        if self.live:
            return "retraining"
        if self.episode_at(now):
            return "drifting"
        if any(budget.violated for budget in self.budgets):
            return "failing"
        if self.judged or (not self.budgets and self.last_event is not None):
            return "healthy"
        return "warming"

    def take(self, now, n, timestamp, metrics):
        arrived = EPOCH_S + now / 1e9
        at_s = timestamp if timestamp is not None and abs(timestamp - arrived) < 1e9 else arrived
        for name, value in metrics:
            self.windows.setdefault(name, Window(self.size)).add(value, n, at_s)
        self.last_event = now
        self.episode = self.episode_at(now)
        return at_s

    def add(self, now, n, timestamp, metrics):
        """The verdict as a dict."""
        at_s = self.take(now, n, timestamp, metrics)
        carried = {name for name, _ in metrics}
        was_violated = any(budget.violated for budget in self.budgets)
        evaluated, breaches = [], []
        for budget in self.budgets:
            if budget.metric in carried and len(self.windows[budget.metric].values) >= self.min_events:
                evaluated.append(budget)
                breach = budget.evaluate(self.windows[budget.metric])
                if breach:
                    breaches.append((budget, breach))
        said = {"evaluation": "none", "began": False, "trigger": None, "recovered": False, "held": False}
        self.judged = self.judged or bool(evaluated)
        if breaches:
            said["evaluation"] = "failing"
            self.failures += 1
            self.healthy = 0
            if not was_violated:
                said["began"] = True
                self.failing_since = at_s
            if self.failures >= self.needed and self.backoff_left(now) == 0:
                said["trigger"] = self.pull(now, breaches)
        elif evaluated and not any(budget.violated for budget in self.budgets):
            said["evaluation"] = "healthy"
            self.failures = 0
            self.healthy += 1
            said["recovered"] = self.episode and self.healthy >= self.recover
        if self.opener is None:
            said["held"] = said["recovered"]
        elif self.opener in evaluated and (self.episode or self.live):
            said["held"] = self.opener.held == self.recover
        if said["recovered"]:
            self.episode = False
        return said

    def pull(self, now, breaches):
        budget, (observed, limit, sign) = breaches[0]
        window = self.windows[budget.metric]
        severities = [abs(o - l) / abs(l) if l else abs(o - l) / 1000 for _, (o, l, _) in breaches]
        trigger = {
            "metric": budget.metric, "observed": observed / 1000, "limit": limit / 1000, "severity": max(severities),
            "window": len(window.recent()), "failures": self.failures, "change_at": self.failing_since,
            "window_start": window.times[-len(window.recent())], "window_end": window.times[-1],
            "rule": f"{budget.metric} {budget.over} {sign} {limit / 1000:.15g}",
        }
        if not self.episode:
            self.opener = budget
        self.episode = True
        self.last_trigger = now
        self.failures = 0
        return trigger

    def look(self, now):
        """The state, the back-off left, and (name, values in the window, values ever, statistics) for each metric."""
        rows = []
        for name, window in self.windows.items():
            statistics = []
            for statistic in STATISTICS:
                top, bottom = window.statistic(statistic)
                statistics.append(top / bottom / 1000)
            rows.append((name, len(window.recent()), len(window.values), statistics))
        return self.state(now), self.backoff_left(now), rows
