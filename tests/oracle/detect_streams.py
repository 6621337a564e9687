"""Streams that the detectors are compared on, and how a table of expectations is printed.

The generator is splitmix64 and sums of uniforms: additions and multiplications in a fixed order, so that Python and C
(tests/unit/detect_streams.h) get the same bits on any machine. Numbers here are doubles in both.
"""
MASK = (1 << 64) - 1


class Source:
    def __init__(self, seed):
        self.state = seed

    def uniform(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        z ^= z >> 31
        return (z >> 11) / 9007199254740992.0

    def normal(self):
        """A sum of twelve uniforms less six: mean 0, deviation 1."""
        total = 0.0
        for _ in range(12):
            total += self.uniform()
        return total - 6.0


def steady(s, i):
    return s.normal()


def step(s, i):
    return s.normal() + (1.5 if i >= 1500 else 0.0)


def fall(s, i):
    return s.normal() - (1.0 if i >= 1200 else 0.0)


def gradual(s, i):
    return s.normal() + (0.0 if i < 1000 else (i - 1000) * 0.002 if i < 2000 else 2.0)


def variance(s, i):
    return s.normal() * (3.0 if i >= 1500 else 1.0)


def unit(s, i):
    return s.uniform() * (0.5 if i >= 1500 else 1.0)


def errors(s, i):
    return 1.0 if s.uniform() < (0.1 if i < 1000 else 0.3 if i < 2000 else 0.05) else 0.0


def rare(s, i):
    return 1.0 if s.uniform() < (0.0 if i < 400 else 0.02 if i < 1500 else 0.25) else 0.0


def shares(s, i):
    """Error rates of batches of eight."""
    p = 0.1 if i < 1500 else 0.2
    return sum(1.0 if s.uniform() < p else 0.0 for _ in range(8)) / 8.0


def latency(s, i):
    u, v = s.uniform(), s.uniform()
    return (20.0 + 100.0 * u * u * v) * (1.4 if i >= 1800 else 1.0)


class Dependent:
    """An AR(1) of 0.8; its level moves at 2000."""

    def __init__(self):
        self.level = 0.0

    def __call__(self, s, i):
        self.level = 0.8 * self.level + 0.6 * s.normal()
        return self.level + (2.0 if i >= 2000 else 0.0)


LENGTH = 3000
STREAMS = {
    "steady": lambda: steady,
    "step": lambda: step,
    "fall": lambda: fall,
    "gradual": lambda: gradual,
    "variance": lambda: variance,
    "unit": lambda: unit,
    "errors": lambda: errors,
    "rare": lambda: rare,
    "shares": lambda: shares,
    "latency": lambda: latency,
    "dependent": Dependent,
}


def stream(name):
    source, draw = Source(1 + list(STREAMS).index(name)), STREAMS[name]()
    return [draw(source, i) for i in range(LENGTH)]


def numbers(options):
    """{"k": 0.5} of "k=0.5 direction=up"; words stay words."""
    out = {}
    for word in options.split():
        key, value = word.split("=")
        try:
            out[key] = float(value)
        except ValueError:
            out[key] = value
    return out


def run(detector, values):
    """Feeds values to an object with add(x) -> "none", "warning" or "drift", which starts anew by itself. Returns the
    indices of drifts and of the first of each run of warnings."""
    drifts, warnings, before = [], [], "none"
    for i, x in enumerate(values):
        state = detector.add(x)
        if state == "drift":
            drifts.append(i)
        if state == "warning" and before != "warning":
            warnings.append(i)
        before = state
    return drifts, warnings


def row(detector, options, name, drifts, warnings):
    def listed(numbers):
        return "{%s}" % ", ".join(map(str, numbers[:12])) if numbers else "{0}"

    print('{"%s", "%s", "%s", %d, %s, %d, %s},' %
          (detector, options, name, len(drifts), listed(drifts), len(warnings), listed(warnings)))


def table(detector, make, cases):
    """Prints a row for each (options, stream)."""
    for options, names in cases:
        for name in names.split():
            drifts, warnings = run(make(**numbers(options)), stream(name))
            row(detector, options, name, drifts, warnings)
