"""The decoder of metric messages against Python: its json and msgpack modules write messages, know what is well formed,
and read numbers; a small model of the protocol's meaning, written here anew, says what should come out."""
import datetime
import fractions
import json
import os
import random
import string
import struct
import subprocess
import unittest

import msgpack

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOL = os.path.join(ROOT, os.environ.get("BUILD", "build"), "tests/unit/check_metric_message")
NOW_S = 2000000000
DEPTH_MAX = 16
PLAIN = set(string.ascii_letters + string.digits + "_.-/")


def decode(records):
    """Returns a line for each (mode, payload); mode b"m": a metrics/ topic, b"b": batch/."""
    sent = b"".join(mode + struct.pack("<I", len(payload)) + payload for mode, payload in records)
    done = subprocess.run([TOOL, "--dump"], input=sent, stdout=subprocess.PIPE, check=True, timeout=300)
    lines = done.stdout.decode("ascii").split("\n")
    assert lines.pop() == "" and len(lines) == len(records), (len(lines), len(records))
    return lines


def text(value):
    return "".join(chr(b) if chr(b) in PLAIN else f"%{b:02X}" for b in value.encode())


def seconds(value):
    """A timestamp as this test makes it: a number, (text, exact seconds) or msgpack.Timestamp."""
    if isinstance(value, tuple):
        return float(value[1])
    if isinstance(value, msgpack.Timestamp):
        return float(fractions.Fraction(value.seconds * 10**9 + value.nanoseconds, 10**9))
    return float(value)


def metric(name, value):
    if isinstance(value, dict) and "histogram" in value:
        edges, counts = value["histogram"]["edges"], value["histogram"]["counts"]
        return f"{name}=H({','.join('%.17g' % e for e in edges)};{','.join(str(int(c)) for c in counts)})"
    if isinstance(value, dict):
        counts = value["categories"]
        return f"{name}=C({','.join(f'{text(k)}:{int(v)}' for k, v in counts.items() if v is not None)})"
    return f"{name}={'%.17g' % value}"


def event(members, with_model):
    words = [text(members["model"])] if with_model else []
    if members.get("timestamp") is not None:
        words.append("t=%.17g" % seconds(members["timestamp"]))
    if members.get("n") not in (None, 1):
        words.append(f"n={int(members['n'])}")
    for name, value in members.items():
        known = name in ("timestamp", "n", "node", "boot", "seq") or (with_model and name == "model")
        if not known and value is not None and not isinstance(value, (str, bool)):
            words.append(metric(name, value))
    return "[" + " ".join(words) + "]"


def line(events, sender, ignored, with_model):
    words = []
    if sender.get("node"):
        words.append("node=" + text(sender["node"]))
    if sender.get("boot") not in (None, ""):
        words.append("boot=" + text(str(sender["boot"])))
    if sender.get("seq") is not None:
        words.append(f"seq={sender['seq']}")
    if ignored:
        words.append(f"ignored={ignored}")
    return " ".join(words + [event(e, with_model) for e in events])


def rows(columns):
    """The events that a columnar batch stands for: what all rows share, then what is the row's own."""
    arrays = {k: v for k, v in columns.items() if isinstance(v, list)}
    shared = {k: v for k, v in columns.items() if not isinstance(v, list)}
    count = len(next(iter(arrays.values())))
    return [{**shared, **{k: v[i] for k, v in arrays.items()}} for i in range(count)]


class Maker:
    """Random messages that keep every rule."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def word(self):
        alphabet = string.ascii_letters + " -\"\\/\n\t\0\x7fé€😀"
        return "".join(self.random.choice(alphabet) for _ in range(self.random.randrange(12)))

    def number(self):
        r = self.random
        kind = r.randrange(6)
        if kind == 0:
            return r.randrange(-10, 300)
        if kind == 1:
            return r.randrange(-2**63, 2**64)
        if kind == 2:
            return round(r.uniform(-100, 100), r.randrange(8))
        if kind == 3:
            return r.uniform(-1, 1) * 10.0 ** r.randrange(-300, 300)
        if kind == 4:
            return float(r.randrange(-5, 5))
        return r.random()

    def ratio(self):
        return self.random.choice([0, 1, 0.0, 1.0, self.random.random(), round(self.random.random(), 3)])

    def count(self, least):
        r = self.random
        return r.choice([least, r.randrange(least, 200), r.randrange(least, 2**64), float(r.randrange(least, 2**53))])

    def timestamp(self, binary):
        r = self.random
        kind = r.randrange(4 if binary else 3)
        if kind == 0:
            return r.randrange(0, NOW_S)
        if kind == 1:
            return r.uniform(0, NOW_S)
        if kind == 2:
            at = datetime.datetime.fromtimestamp(r.randrange(10**9, NOW_S), datetime.timezone.utc)
            at = at.replace(microsecond=r.randrange(10**6) if r.random() < 0.5 else 0)
            zone = datetime.timezone(datetime.timedelta(minutes=r.randrange(-14 * 60, 14 * 60)))
            whole = fractions.Fraction(int(at.timestamp()) * 10**6 + at.microsecond, 10**6)
            return at.astimezone(zone).isoformat(), whole
        nanoseconds = r.choice([0, r.randrange(10**9)])
        return msgpack.Timestamp(r.choice([r.randrange(10**9, NOW_S), r.randrange(-10**9, 0)]), nanoseconds)

    def name(self):
        r = self.random
        first = r.choice(string.ascii_lowercase)
        name = first + "".join(r.choice(string.ascii_lowercase + string.digits + "_.") for _ in range(r.randrange(64)))
        return name + "x" if name in ("n", "seq", "node", "boot", "model") else name

    def histogram(self):
        edges = sorted({self.number() for _ in range(self.random.randrange(2, 40))}, key=float)
        edges = [e for i, e in enumerate(edges) if i == 0 or float(edges[i - 1]) < float(e)]
        if len(edges) < 2:
            edges = [0, 1.5]
        return {"histogram": {"edges": edges, "counts": [self.count(0) for _ in edges[1:]]}}

    def categories(self):
        r = self.random
        return {"categories": {self.word() + str(i): None if r.random() < 0.05 else self.count(0) for i in range(r.randrange(60))}}

    def sender(self):
        r = self.random
        node = r.choice([self.word(), "edge-1"])
        boot = r.choice([self.word(), r.randrange(-2**63, 2**64), 7])
        return {k: v for k, v in (("node", node), ("boot", boot), ("seq", r.randrange(2**64))) if r.random() < 0.7}

    def members(self, binary, with_model):
        """Returns the members of an event without its sender, and how many of them are to be ignored."""
        r, out, ignored = self.random, {}, 0
        if with_model:
            out["model"] = r.choice(["p/n/v", "visutility/object-detector/v1.2.3", "é/b c/1", "a/b/" + "x" * 128])
        for name in ("accuracy", "precision", "recall"):
            if r.random() < 0.5:
                out[name] = self.ratio()
        for name in ("latency_ms", "processed_fps"):
            if r.random() < 0.5:
                out[name] = abs(self.number())
        if r.random() < 0.5:
            out["timestamp"] = self.timestamp(binary)
        if r.random() < 0.5:
            out["n"] = self.count(1)
        for _ in range(r.choice([0, 1, 3, 30])):
            kind = r.randrange(10)
            name = self.name()
            if kind == 0:
                name, out[name], ignored = name, r.choice(["text", True, False, self.word()]), ignored + (name not in out)
            elif name not in out:
                out[name] = None if kind == 1 else self.histogram() if kind == 2 else self.categories() if kind == 3 else self.number()
        ignored = sum(isinstance(v, (str, bool)) for k, v in out.items() if k != "model")
        return out, ignored

    def shuffled(self, members):
        items = list(members.items())
        self.random.shuffle(items)
        return dict(items)

    def message(self, binary):
        """Returns (mode, value to encode, expected line)."""
        r = self.random
        kind = r.randrange(4)
        sender = self.sender()
        if kind == 0:
            members, ignored = self.members(binary, False)
            whole = self.shuffled({**members, **sender})
            return b"m", whole, line([whole], sender, ignored, False)
        if kind in (1, 2):
            events, ignored = [], 0
            for i in range(r.choice([1, 2, 20])):
                members, more = self.members(binary, kind == 2)
                events.append(self.shuffled({**members, **(sender if i == 0 else self.sender())}))
                ignored += more
            return (b"b" if kind == 2 else b"m"), events, line(events, sender, ignored, kind == 2)
        return self.columnar(binary, sender)

    def columnar(self, binary, sender):
        r = self.random
        count, columns, ignored = r.choice([1, 2, 50]), {}, 0

        def cells(make):
            return [None if r.random() < 0.1 else make() for _ in range(count)]
        columns["accuracy"] = cells(self.ratio)
        for name in {self.name() for _ in range(r.randrange(6))}:
            columns[name] = cells(self.number) if r.random() < 0.7 else self.number()
        if r.random() < 0.5:
            columns["latency_ms"] = cells(lambda: abs(self.number()))
        if r.random() < 0.5:
            columns["timestamp"] = r.choice([self.timestamp(binary), cells(lambda: self.timestamp(binary))])
        if r.random() < 0.5:
            columns["n"] = r.choice([self.count(1), cells(lambda: self.count(1))])
        if r.random() < 0.3:
            columns["camera"] = [r.choice(["north", True]) for _ in range(count)]
            ignored += count
        if r.random() < 0.3:
            columns["note"] = "text"
            ignored += 1
        columns = self.shuffled({**columns, **sender})
        return b"m", columns, line(rows(columns), sender, ignored, False)


def plain(value):
    """What is encoded: a time as text is only its text."""
    if isinstance(value, tuple):
        return value[0]
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return value


def depth(value):
    if isinstance(value, Pairs):
        return 1 + max([max(depth(k), depth(v)) for k, v in value.items] or [0])
    if isinstance(value, (list, tuple)):
        return 1 + max(map(depth, value), default=0)
    return 0


class Pairs:
    """An object, made of its members as they stand; one that has a name twice is refused."""

    def __init__(self, pairs):
        names = [k for k, _ in pairs if isinstance(k, str)]
        if len(set(names)) != len(names):
            raise ValueError("twice")
        self.items = list(pairs)


def refuse(_):
    raise ValueError("constant")


def surrogates(value):
    if isinstance(value, str):
        return any(0xD800 <= ord(c) <= 0xDFFF for c in value)
    if isinstance(value, Pairs):
        return any(surrogates(k) or surrogates(v) for k, v in value.items)
    return isinstance(value, list) and any(map(surrogates, value))


def json_well_formed(payload):
    if not payload or payload[:1] not in (b"{", b"[", b" ", b"\t", b"\n", b"\r"):
        return False
    try:
        value = json.loads(payload.decode("utf-8"), object_pairs_hook=Pairs, parse_constant=refuse)
    except ValueError:
        return False
    return depth(value) <= DEPTH_MAX and not surrogates(value)


def msgpack_well_formed(payload):
    """None where Python looks closer than the format: at what a timestamp holds, and at extension types below 0."""
    if not payload or not (0x80 <= payload[0] <= 0x9F or 0xDC <= payload[0] <= 0xDF):
        return False
    try:
        value = msgpack.unpackb(payload, raw=False, strict_map_key=False, object_pairs_hook=Pairs)
    except ValueError as e:
        return None if any(word in str(e) for word in ("imestamp", "anosecond", "code must be")) else False
    except Exception:
        return False
    return depth(value) <= DEPTH_MAX


class WireOracle(unittest.TestCase):
    maxDiff = None

    def compare(self, records, expected):
        for i, (got, wanted) in enumerate(zip(decode(records), expected)):
            if got != wanted:
                self.fail(f"message {i}: {records[i][1][:2000]!r}\n  got      {got[:2000]}\n  expected {wanted[:2000]}")

    def test_json_messages(self):
        maker, records, expected = Maker(20261123), [], []
        for i in range(600):
            mode, value, wanted = maker.message(False)
            separators = [(",", ":"), (", ", ": "), (" ,\n", "\t: ")][i % 3]
            records.append((mode, json.dumps(plain(value), ensure_ascii=i % 2 == 0, separators=separators).encode()))
            expected.append(wanted)
        self.compare(records, expected)

    def test_msgpack_messages(self):
        maker, records, expected = Maker(4711), [], []
        for _ in range(600):
            mode, value, wanted = maker.message(True)
            records.append((mode, msgpack.packb(plain(value))))
            expected.append(wanted)
        self.compare(records, expected)

    def test_single_floats(self):
        r, records, expected = random.Random(5), [], []
        for _ in range(500):
            value = struct.unpack("<f", struct.pack("<I", r.getrandbits(31)))[0]
            bad = value != value or value == float("inf")
            records.append((b"m", msgpack.packb({"x": value}, use_single_float=True)))
            expected.append("not_finite=1" if bad else f"[x={'%.17g' % value}]")
        self.compare(records, expected)

    def test_numbers_are_read_as_python_reads_them(self):
        r, records, expected = random.Random(99), [], []

        def digits(count):
            return "".join(r.choice(string.digits) for _ in range(count))

        def number():
            kind = r.randrange(5)
            if kind == 0:
                return repr(struct.unpack("<d", struct.pack("<Q", r.getrandbits(64)))[0])
            if kind == 1:
                return repr(r.uniform(-1000, 1000))
            if kind == 2:
                return f"{r.randrange(2**53, 2**54) // 2 * 2 + 1}." + r.choice(["0", "5", "0" * 30 + "1", "49999999999999999"])
            out = r.choice(["", "-"]) + r.choice(["0", r.choice("123456789") + digits(r.randrange(r.choice([3, 20, 330])))])
            if r.random() < 0.7:
                out += "." + "0" * r.choice([0, 0, r.randrange(330)]) + digits(r.randrange(1, r.choice([6, 20, 900])))
            if r.random() < 0.5:
                out += r.choice("eE") + r.choice(["", "+", "-"]) + digits(r.randrange(1, 4))
            return out
        for _ in range(200):
            numbers = [n for n in (number() for _ in range(500)) if "n" not in n]
            values = [float(n) for n in numbers]
            bad = sum(abs(v) == float("inf") for v in values)
            records.append((b"m", ('{"x":[' + ",".join(numbers) + "]}").encode()))
            lines = [f"[x={'%.17g' % v}]" for v in values if abs(v) != float("inf")]
            expected.append(" ".join(lines + ([f"not_finite={bad}"] if bad else [])))
        self.compare(records, expected)

    def damaged(self, r, payload, telling):
        data = bytearray(payload)
        for _ in range(r.choice([1, 1, 1, 2, 4])):
            place = r.randrange(len(data) + 1)
            kind = r.randrange(5)
            if kind == 0 and place < len(data):
                data[place] = r.choice(telling)
            elif kind == 1 and place < len(data):
                data[place] = r.randrange(256)
            elif kind == 2:
                data.insert(place, r.choice(telling))
            elif kind == 3:
                del data[place:place + r.randrange(1, 4)]
            else:
                start = r.randrange(len(data) + 1)
                data[place:place] = data[start:start + r.randrange(1, 20)]
        return bytes(data)

    def agree(self, payloads, well_formed):
        verdicts = [well_formed(p) for p in payloads]
        good = 0
        for payload, verdict, got in zip(payloads, verdicts, decode([(b"m", p) for p in payloads])):
            if verdict is not None and verdict == (got == "syntax=1"):
                self.fail(f"{payload!r}: {got}, but Python says well formed: {verdict}")
            good += verdict is True
        self.assertGreater(good, len(payloads) // 20)
        self.assertLess(good, len(payloads) * 19 // 20)

    def small(self, maker, binary):
        r = maker.random
        value = {"accuracy": maker.ratio(), maker.word(): maker.word(), "x": maker.number(), "n": maker.count(1), **maker.sender()}
        if r.random() < 0.3:
            value["timestamp"] = maker.timestamp(binary)
        if r.random() < 0.3:
            value["deep"] = {"a": [maker.word(), {}, {"b": None, maker.word(): True}]}
        return plain([value, {"y": maker.number()}] if r.random() < 0.2 else value)

    def test_what_is_well_formed_json(self):
        r, maker = random.Random(1), Maker(1)
        telling = b'"\\{}[],: \n-+.eE019nulltruefalseNaN/u\x00\x1f\x7f\xc3\xed\xa0'
        payloads = []
        for i in range(20000):
            whole = json.dumps(self.small(maker, False), ensure_ascii=i % 2 == 0, indent=[None, 1][i // 2 % 2]).encode()
            payloads.append(self.damaged(r, whole, telling))
        self.agree(payloads, json_well_formed)

    def test_what_is_well_formed_msgpack(self):
        r, maker = random.Random(2), Maker(2)
        telling = bytes([0, 1, 0x7F, 0x80, 0x81, 0x90, 0x91, 0xA0, 0xA1, 0xBF] + list(range(0xC0, 0xE1)) + [0xFF])
        payloads = [self.damaged(r, msgpack.packb(self.small(maker, True)), telling) for _ in range(20000)]
        self.agree(payloads, msgpack_well_formed)

    def test_nesting(self):
        for levels in range(1, 40):
            value = 1
            for i in range(levels):
                value = [value] if i % 2 else {"a": value}
            payloads = [json.dumps(value).encode(), msgpack.packb(value)]
            for got in decode([(b"m", p) for p in payloads]):
                self.assertEqual(got == "syntax=1", levels > DEPTH_MAX, levels)


if __name__ == "__main__":
    unittest.main()
