"""driftc and the control socket: what it asks, what it shows, how it fails."""
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import tempfile
import unittest

from driftc_peers import Case, DRIFTC, HOSTILE, SGR, environment, run, run_on_terminal, width

STATUS = {"ok": True, "version": "0.1.0", "up_s": 273845.2, "events": 12345678, "events_per_s": 1234.5,
          "dropped": {"range": 3, "syntax": 12}, "lost": {"node-7": 41}, "while_down": 1203, "models": {"healthy": 996, "failing": 3, "retraining": 1},
          "requests": {"RUNNING": 1, "PENDING": 2, "DONE": 40},
          "feedback": {"messages": 99, "refused": {"bad_message": 1012, "ended": 2}, "replies_lost": 4}, "store_full": True, "handshakes": {"failed": 1234, "broken_off": 7, "reconnected": 3}, "observers": {"sent": 9, "dropped": 17, "behind": 2}, "reload": {"ok": True, "at": None, "errors": []}}


def kpi(name="accuracy", violated=False, **more):
    return {"name": name, "over": "mean", "observed": 0.52 if violated else 0.93, "min": 0.8, "max": None, "judged": True,
            "violated": violated, "n": 64, "recent": [0.9, 0.8, 0.7, 0.52], **more}


def model(name, state="healthy", failures=0, **more):
    return {"model": name, "state": state, "failures": failures, "consecutive_failures": 3, "episode": 2, "episode_open": False,
            "request_live": False, "backoff_left_s": 0, "events": 1234, "last_event_s": 0.4, "kpis": [kpi(violated=failures > 0)],
            **more}


MODELS = {"ok": True, "left_out": 0, "models": [model("shop/b/v1"), model("shop/a/v1", "failing", 2, backoff_left_s=1752.5),
                                               model("shop/c/v1", "failing", 7)]}
ONE = dict(model("shop/a/v1", "failing", 2), ok=True, metrics_left_out=0, settings={"consecutive_failures": 3}, metrics=[
    {"name": "accuracy", "last": 0.5, "mean": 0.52, "n": 64, "total": 4711, "recent": [0.9, 0.5]},
    {"name": "latency_ms", "last": 41, "mean": 40.5, "n": 64, "total": 4711, "recent": []}])
ID = "968a64de8a65c5821e428681f5f0cf59"
REQUEST = {"id": ID, "model": "shop/a/v1", "state": "RUNNING", "attempt": 2, "attempts": 5, "strategy": "bayesian", "held_by": None, "trainer": "gpu-3",
           "fraction": 0.4, "note": "half way", "lease_left_s": 200, "waiting_for": None, "due_in_s": None, "cancel_asked": False,
           "strategy_reason": "bayesian: the cheapest of 3", "created_at": "2026-11-23T10:00:00.000Z",
           "trigger": {"rule": "accuracy mean < 0.8", "observed": 0.52, "limit": 0.8, "failures": 3}}
WAITING = dict(REQUEST, id="5" * 32, state="PENDING", trainer=None, fraction=None, waiting_for="limit", held_by="per_day", due_in_s=90)
OUTCOMES = [{"attempt": 1, "strategy": "pbt", "trainer": "gpu-1", "outcome": "failed", "gpu_hours": 1.5, "gain": None, "version": None, "artifact": None,
             "error": "CUDA out of memory"}]
HISTORY = [{"at": "2026-11-23T10:00:00.000Z", "from": None, "to": "PENDING", "by": "monitor", "why": "accuracy mean < 0.8"},
           {"at": "2026-11-23T10:00:01.000Z", "from": "PENDING", "to": "OFFERED", "by": "dispatcher", "why": "attempt 1"}]
REJECTS = {"ok": True, "rejects": [{"reason": "range", "count": 1500, "last": {
    "at_s": 1795428000.0, "topic": "metrics/shop/a/v1", "detail": "accuracy is above 1", "payload": '{"accuracy":2}', "payload_bytes": 14}}]}

# words, the question they make, an answer, what a person sees of it
COMMANDS = [
    (["status"], {"do": "status"}, STATUS, ["up 3 d 4 h", "12,345,678 events", "3 failing", "996 healthy", "1 RUNNING", "2 PENDING",
                                            "12 syntax, 3 range", "41 of node-7", "Missed    1,203 that nodes sent while the daemon was down", "Refused   1,012 bad_message, 2 ended (messages of trainers; the log shows mistakes)",
                                            "Trainers  4 replies were read by nobody", "Store     full: no retraining is offered",
                                            "Peers     1,234 did not come in (the log says who, and why)",
                                            "Nodes     3 times one of metrics.connect broke the protocol and was connected to again",
                                            "Observers 2 times one did not keep up, 17 events were dropped here"]),
    (["models"], {"do": "models", "limit": 1000}, MODELS, ["shop/a/v1", "29 min 12 s", "accuracy mean 0.52 < 0.8", "accuracy mean 0.93 (min 0.8)"]),
    (["models", "shop/*", "--state", "failing", "--limit", "7"], {"do": "models", "pattern": "shop/*", "state": "failing", "limit": 7}, MODELS, ["shop/b/v1"]),
    (["model", "shop/a/v1"], {"do": "model", "model": "shop/a/v1"}, ONE, ["failing", "2 in a row (3 trigger)", "violated", "█▆▄▁", "4,711"]),
    (["requests"], {"do": "requests", "most": 1000}, {"ok": True, "count": 2, "requests": [REQUEST, WAITING]},
     [ID, "RUNNING", "bayesian", "gpu-3, 40 %", "waits for limit per_day, 1 min 30 s"]),
    (["requests", "--state", "running", "--limit", "5"], {"do": "requests", "most": 5, "state": "RUNNING"}, {"ok": True, "requests": []}, ["No request is RUNNING"]),
    (["request", ID], {"do": "request", "request": ID}, {"ok": True, **REQUEST, "history": HISTORY, "outcomes": OUTCOMES},
     [ID, "RUNNING", "0.52, limit 0.8, 3 failures in a row", "2 of at most 5", "40 %", "half way", "3 min 20 s left", "dispatcher", "CUDA out of memory"]),
    (["rejects"], {"do": "rejects"}, REJECTS, ["range", "1,500", "accuracy is above 1", "2026-11-23 10:00:00Z"]),
    (["retrain", "shop/a/v1", "--reason", "new lens"], {"do": "retrain", "model": "shop/a/v1", "reason": "new lens"},
     {"ok": True, "request": ID, "state": "PENDING"}, [f"Request {ID} is PENDING"]),
    (["cancel", ID], {"do": "cancel", "request": ID}, {"ok": True, "request": ID, "state": "CANCELLED"}, ["is CANCELLED"]),
    (["cancel", ID], {"do": "cancel", "request": ID}, {"ok": True, "request": ID, "state": "RUNNING"}, ["its trainer is told to stop"]),
    (["requeue", ID, "--reason", "disk"], {"do": "requeue", "request": ID, "reason": "disk"}, {"ok": True, "request": "5a", "state": "PENDING"},
     ["Request 5a is PENDING"]),
]


class Asking(Case):
    def test_each_command_asks_and_shows(self):
        for words, question, answer, seen in COMMANDS:
            with self.subTest(words=words):
                peer = self.control(lambda _: answer)
                done = run("--socket", peer.endpoint, *words)
                peer.close()
                self.assertEqual((done.returncode, done.stderr), (0, b""))
                self.assertEqual(peer.questions, [question])
                for text in seen:
                    self.assertIn(text, done.stdout.decode())

    def test_a_warning_is_said_beside_the_answer(self):
        peer = self.control(lambda _: {"ok": True, "request": ID, "state": "PENDING", "warning": "it has not served"})
        done = run("--socket", peer.endpoint, "retrain", "shop/a/v1")
        self.assertEqual((done.returncode, done.stderr), (0, b"driftc: it has not served\n"))

    def test_json_is_the_answer_as_it_came(self):
        for words, question, answer, _ in COMMANDS:
            for place in (["--json", *words], [*words, "--json"]):
                with self.subTest(words=place):
                    raw = json.dumps(dict(answer, fraction=0.1, big=2 ** 60)).encode()
                    peer = self.control(lambda _: [raw])
                    done = run("--socket", peer.endpoint, *place)
                    peer.close()
                    self.assertEqual(done.returncode, 0)
                    self.assertEqual(peer.questions, [question])
                    self.assertEqual(done.stdout, raw + b"\n")

    def test_options_stand_before_or_behind_the_command(self):
        peer = self.control(lambda _: STATUS)
        self.assertEqual(run("status", "--socket", peer.endpoint, "-j").returncode, 0)
        self.assertEqual(run("-j", "-s", peer.endpoint, "-t", "9", "status").returncode, 0)

    def test_who_needs_somebody_comes_first(self):
        peer = self.control(lambda _: MODELS)
        lines = run("--socket", peer.endpoint, "models").stdout.decode().splitlines()
        self.assertEqual([line.split()[0] for line in lines], ["MODEL", "shop/c/v1", "shop/a/v1", "shop/b/v1"])

    def test_a_list_that_was_cut_has_those_that_need_somebody(self):
        """The daemon gives the first by name; more than are shown are asked for state by state."""
        def answer(question):
            sick = [m for m in MODELS["models"] if m["state"] == question.get("state")]
            found = sick if "state" in question else [model(f"shop/{i}/v1") for i in range(3)]
            return {"ok": True, "left_out": 99997, "models": found[:question["limit"]]}
        peer = self.control(answer)
        done = run("--socket", peer.endpoint, "models", "--limit", "3")
        self.assertEqual([line.split()[0] for line in done.stdout.decode().splitlines()[1:]], ["shop/c/v1", "shop/a/v1", "shop/b/v1", "99,997"])
        self.assertEqual([(q.get("state"), q["limit"]) for q in peer.questions[:4]], [(None, 3), ("unrecoverable", 3), ("failing", 3), ("drifting", 1)])

    def test_live_requests_come_first(self):
        requests = [dict(REQUEST, id=state[0] * 32, state=state) for state in ("DONE", "PENDING", "DEAD", "RUNNING")]
        peer = self.control(lambda _: {"ok": True, "requests": requests, "count": 44})
        lines = run("--socket", peer.endpoint, "requests").stdout.decode().splitlines()
        self.assertEqual([line[0] for line in lines], ["R", "P", "R", "D", "D", "4"])
        self.assertIn("40 older ones are not shown", lines[-1])

    def test_the_beginning_of_an_id_is_enough(self):
        listed = {"ok": True, "requests": [{"id": ID}, {"id": "968a" + "0" * 28}, {"id": "abcd"}, {"id": "abcde"}]}
        peer = self.control(lambda q: listed if q["do"] == "requests" else {"ok": True, "request": q["request"], "state": "CANCELLED"})
        for word, whole in ((ID[:5], ID), ("968a0", "968a" + "0" * 28), ("abcd", "abcd")):
            self.assertIn(whole, run("--socket", peer.endpoint, "cancel", word).stdout.decode())
        for word, status in (("968a", 64), ("ffff", 1), ("96", 64)):
            done = run("--socket", peer.endpoint, "cancel", word)
            self.assertEqual((done.returncode, done.stdout), (status, b""))
            self.sentence(done.stderr)
        self.assertEqual(run("--socket", peer.endpoint, "request", "968a6", "--json").returncode, 0)
        self.assertIn({"do": "request", "request": ID}, peer.questions)

    def test_answers_with_members_of_other_types_are_survived(self):
        """Every member is replaced by every kind of value, one at a time."""
        def variants(value):
            for odd in (None, True, -7, 1e308, "x", [], {}, [None, 1, "y", [], {}], {"a": {"b": []}}):
                yield odd
            if isinstance(value, dict):
                for key in value:
                    for odd in variants(value[key]):
                        yield dict(value, **{key: odd})
            elif isinstance(value, list) and value:
                for odd in variants(value[0]):
                    yield [odd]

        for words, _, answer, _ in COMMANDS[::2]:
            odd_ones = [odd for odd in variants(answer) if isinstance(odd, dict) and odd.get("ok") is True]
            it = iter(odd_ones)
            peer = self.control(lambda _: next(it))
            for odd in odd_ones[::3]:
                done = run("--socket", peer.endpoint, *words)
                self.assertEqual((done.returncode, done.stderr), (0, b""), (words, odd))
            peer.close()


class Failing(Case):
    def test_the_daemon_refuses(self):
        answer = {"ok": False, "error": "unknown_model", "message": "no such model has been heard of"}
        peer = self.control(lambda _: answer)
        done = run("--socket", peer.endpoint, "model", "a/b/c")
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertIn("no such model has been heard of", self.sentence(done.stderr))
        done = run("--socket", peer.endpoint, "--json", "model", "a/b/c")
        self.assertEqual((done.returncode, json.loads(done.stdout)), (1, answer))
        self.sentence(done.stderr)

    def test_no_answer_in_time(self):
        peer = self.control(lambda _: None)
        done = run("--socket", peer.endpoint, "--timeout", "0.1", "status")
        self.assertEqual((done.returncode, done.stdout), (69, b""))
        self.assertIn(peer.endpoint, self.sentence(done.stderr))

    def test_no_daemon(self):
        endpoint = f"ipc://{self.folder}/none.sock"
        done = run("--socket", endpoint, "status")
        self.assertEqual(done.returncode, 69)
        self.assertIn(f"is driftd running? socket {endpoint}", self.sentence(done.stderr))

    def test_a_socket_that_nobody_listens_on(self):
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(f"{self.folder}/dead.sock")
        done = run("--socket", f"ipc://{self.folder}/dead.sock", "status")
        self.assertEqual(done.returncode, 69)
        self.assertIn("is driftd running?", self.sentence(done.stderr))

    def test_what_is_no_endpoint(self):
        for endpoint in ("nonsense", "tcp://", "ipc://", "ipc:///" + "x" * 200, "http://a:1"):
            with self.subTest(endpoint=endpoint):
                done = run("--socket", endpoint, "--timeout", "0.1", "status")
                self.assertEqual(done.returncode, 64)
                self.sentence(done.stderr)

    def test_answers_that_are_none(self):
        for frames in ([b""], [b"{"], [b"[]"], [b"{}"], [b'{"ok":1}'], [b'{"ok":true,"ok":true}'], [b"\xff\xfe"],
                       [b'{"ok":true}', b"more"], [b"[" * 100000], [b'{"ok":true} x']):
            with self.subTest(frames=frames[0][:20]):
                peer = self.control(lambda _: frames)
                done = run("--socket", peer.endpoint, "status")
                peer.close()
                self.assertEqual((done.returncode, done.stdout), (76, b""))
                self.sentence(done.stderr)

    def test_wrong_usage(self):
        for words in ([], ["nonsense"], ["statsu"], ["status", "x"], ["model"], ["model", "a/b"], ["model", "a/b/c", "d"], ["model", "a/b/\udcff"],
                      ["models", "a/[b"], ["models", ""], ["requests", "--state", "x"], ["requests", "--limit", "0"], ["models", "--limit", "1e9"], ["models", "--state", "x"], ["--timeout", "0", "status"], ["--timeout", "1x", "status"],
                      ["status", "--nonsense"], ["--nonsense"], ["request", "\udcff"], ["retrain", "a/b"], ["retrain", "a/b/c", "--reason", "\udcff"],
                      ["check"], ["publish"], ["trainer"], ["trainer", "--exec", ""], ["help", "nonsense"]):
            with self.subTest(words=words):
                done = run(*words)
                self.assertEqual((done.returncode, done.stdout), (64, b""))
                self.sentence(done.stderr)

    def test_a_full_disk_is_a_failure(self):
        peer = self.control(lambda _: STATUS)
        with open("/dev/full", "w") as full:
            done = subprocess.run([DRIFTC, "--socket", peer.endpoint, "status"], stdout=full, stderr=subprocess.PIPE, env=environment(), timeout=60)
        self.assertEqual(done.returncode, 74)
        self.sentence(done.stderr)


class Helping(Case):
    def test_every_command_has_help_with_an_example(self):
        listed = re.findall(r"^  ([a-z-]+) ", run("help").stdout.decode(), re.M)
        with open(os.path.join(os.path.dirname(__file__), "..", "..", "docs", "commands.md")) as file:
            table = file.read().split("## driftc")[1].split("\n\n")[2]
        documented = set(re.findall(r"`([a-z-]+)[ `]", "".join(row.split("|")[1] for row in table.splitlines()[2:])))
        self.assertEqual(set(listed), documented | {"help"})
        for command in listed:
            for words in (["help", command], [command, "--help"]):
                done = run(*words)
                self.assertEqual((done.returncode, done.stderr), (0, b""))
                text = done.stdout.decode()
                self.assertTrue(text.startswith(f"Usage: driftc {command} "), text)
                self.assertRegex(text, rf"Example:\n  driftc {command}\b")

    def test_version(self):
        self.assertRegex(run("--version").stdout.decode(), r"^driftc \d+\.\d+\.\d+\n$")

    def test_a_slip_of_the_finger(self):
        self.assertIn("did you mean 'status'?", run("statsu").stderr.decode())


class Hostile(Case):
    def answers(self):
        odd = dict(REQUEST, trainer=HOSTILE, note=HOSTILE, id=HOSTILE, model=HOSTILE, strategy=HOSTILE, held_by=HOSTILE, state=HOSTILE, created_at=HOSTILE)
        step = {key: HOSTILE for key in ("at", "from", "to", "by", "why")}
        yield ["status"], dict(STATUS, version=HOSTILE, lost={HOSTILE: 1}, dropped={HOSTILE: 1}, models={HOSTILE: 1}, requests={HOSTILE: 1},
                               reload={"ok": False, "at": HOSTILE, "errors": [HOSTILE]})
        yield ["models"], {"ok": True, "models": [model(HOSTILE, HOSTILE, 1, kpis=[kpi(HOSTILE, over=HOSTILE)])]}
        yield ["model", "a/b/c"], dict(ONE, model=HOSTILE, state=HOSTILE, kpis=[kpi(HOSTILE, over=HOSTILE)], metrics=[dict(ONE["metrics"][0], name=HOSTILE)])
        yield ["requests"], {"ok": True, "requests": [odd]}
        yield ["request", ID], {"ok": True, **odd, "waiting_for": HOSTILE, "outcomes": [dict.fromkeys(OUTCOMES[0], HOSTILE)], "note": HOSTILE, "history": [step], "trigger": {"rule": HOSTILE, "observed": 1}}
        yield ["rejects"], {"ok": True, "rejects": [{"reason": HOSTILE, "count": 1, "last": {"topic": HOSTILE, "detail": HOSTILE, "payload": HOSTILE}}]}
        yield ["retrain", "a/b/c"], {"ok": True, "request": HOSTILE}
        yield ["cancel", ID], {"ok": False, "error": "x", "message": HOSTILE}

    def test_nothing_from_outside_reaches_the_terminal(self):
        for words, answer in self.answers():
            for extra in ([], ["--json"]):
                with self.subTest(words=words, extra=extra):
                    peer = self.control(lambda _: answer)
                    done = run("--socket", peer.endpoint, *words, *extra)
                    _, shown = run_on_terminal("--socket", peer.endpoint, *words, *extra, columns=500)
                    peer.close()
                    self.assert_harmless((done.stdout + done.stderr).decode())
                    self.assert_harmless(shown, colours=True)
                    if extra:
                        self.assertEqual(json.loads(done.stdout), answer)
                    else:
                        self.assertIn("\\x1b[2J", shown)

    def test_words_of_the_command_line_are_shown_as_they_are_safe(self):
        for words in (["model", HOSTILE], ["models", HOSTILE + "["], [HOSTILE], ["publish", HOSTILE], ["--timeout", HOSTILE, "status"],
                      ["model", b"a/\xff\xc3/\xed\xa0\x80"], ["check", HOSTILE]):
            with self.subTest(words=words):
                done = run(*words)
                self.assertNotEqual(done.returncode, 0)
                self.assert_harmless(done.stderr.decode())


class Showing(Case):
    def test_lines_fit_the_terminal(self):
        long = "a-project-with-a-long-name/a-detector-with-a-long-name/a-version-with-a-long-name"
        answers = [(["models"], {"ok": True, "models": [model(long, "failing", 3), model("x/y/z")]}),
                   (["requests"], {"ok": True, "requests": [dict(REQUEST, model=long)]}),
                   (["request", ID], {"ok": True, **REQUEST, "note": None, "history": [dict(HISTORY[0], why="w" * 300), dict(HISTORY[1], why="words and " * 30)],
                                      "outcomes": OUTCOMES * 2}), (["model", "a/b/c"], ONE)]
        for words, answer in answers:
            for columns in (60, 80, 120):
                with self.subTest(words=words, columns=columns):
                    peer = self.control(lambda _: answer)
                    status, shown = run_on_terminal("--socket", peer.endpoint, *words, columns=columns)
                    peer.close()
                    self.assertEqual(status, 0)
                    for line in SGR.sub("", shown).splitlines():
                        self.assertLessEqual(width(line), columns, line)

    def test_a_pipe_gets_everything_and_no_colours(self):
        long = "p" * 100 + "/" + "n" * 100 + "/" + "v" * 100
        peer = self.control(lambda _: {"ok": True, "models": [model(long, "failing", 3)]})
        out = run("--socket", peer.endpoint, "models").stdout.decode()
        self.assertIn(long, out)
        self.assertNotIn("\x1b", out)

    def test_colours_only_where_they_are_wanted(self):
        peer = self.control(lambda _: MODELS)
        self.assertIn("\x1b[31m", run_on_terminal("--socket", peer.endpoint, "models")[1])
        for env in (environment(NO_COLOR="1"), environment(TERM="dumb"), environment(TERM=None)):
            self.assertNotIn("\x1b", run_on_terminal("--socket", peer.endpoint, "models", env=env)[1])
        self.assertIn("\x1b[31m", run_on_terminal("--socket", peer.endpoint, "models", env=environment(NO_COLOR=""))[1])

    def test_wide_characters_keep_columns_straight(self):
        names = ["shop/検出器/v1", "shop/détecteur/v1", "shop/e\u0301/v1", "shop/abc/v1"]
        peer = self.control(lambda _: {"ok": True, "models": [model(name) for name in names]})
        lines = run("--socket", peer.endpoint, "models").stdout.decode().splitlines()
        places = {width(line[:line.index(mark)]) for line, mark in zip(lines, ["STATE"] + ["healthy"] * 4)}
        self.assertEqual(len(places), 1, lines)

    def test_numbers_stand_to_the_right(self):
        peer = self.control(lambda _: {"ok": True, "models": [model("a/b/c", failures=n) for n in (1234567, 5)]})
        lines = run("--socket", peer.endpoint, "models").stdout.decode().splitlines()
        self.assertEqual(lines[1].index("1,234,567 ") + 9, lines[2].index(" 5 ") + 2)

    def test_why_goes_on_in_further_lines(self):
        why = " ".join(f"word{i}" for i in range(60)) + " 検出器検出器検出器検出器検出器検出器検出器検出器検出器検出器検出器検出器"
        peer = self.control(lambda _: {"ok": True, **REQUEST, "history": [dict(HISTORY[0], why=why)]})
        _, shown = run_on_terminal("--socket", peer.endpoint, "request", ID, columns=90)
        lines = SGR.sub("", shown).splitlines()
        at = next(i for i, line in enumerate(lines) if line.startswith("AT "))
        begin = lines[at].index("WHY")
        self.assertEqual("".join(line[begin:] for line in lines[at + 1:]).replace(" ", ""), why.replace(" ", ""))
        self.assertTrue(all(line[:begin].strip() == "" for line in lines[at + 2:]))

    def test_a_terminal_gets_the_beginning_of_an_id(self):
        peer = self.control(lambda _: {"ok": True, "requests": [REQUEST]})
        shown = run_on_terminal("--socket", peer.endpoint, "requests", columns=120)[1]
        self.assertIn(ID[:12] + " ", shown)
        self.assertIn(ID, run("--socket", peer.endpoint, "requests").stdout.decode())

    def test_without_utf8_only_ascii(self):
        peer = self.control(lambda _: dict(ONE, model="shop/détecteur/v1"))
        out = run("--socket", peer.endpoint, "model", "a/b/c", env=environment(LC_ALL="C")).stdout.decode()
        self.assertTrue(out.isascii())
        self.assertIn("shop/d\\u{e9}tecteur/v1", out)
        self.assertIn("#+-_", out)
        out = run("--socket", peer.endpoint, "model", "a/b/c", "--json", env=environment(LC_ALL="C")).stdout.decode()
        self.assertTrue(out.isascii())
        self.assertEqual(json.loads(out)["model"], "shop/détecteur/v1")


@unittest.skipUnless(os.geteuid() == 0 and shutil.which("setpriv"), "changes its user, which takes root")
class Looking(Case):
    """Where an ordinary user's driftc looks for the daemon."""

    def setUp(self):
        super().setUp()
        os.chmod(self.folder, 0o755)
        self.program = shutil.copy(DRIFTC, self.folder)
        os.chmod(self.program, 0o755)

    def run_as_nobody(self, *words, **env):
        counts = tempfile.mkdtemp(dir=self.folder)  # where a build that counts its lines may write them as nobody
        os.chmod(counts, 0o777)
        return subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", self.program, *words], capture_output=True, timeout=60,
                              env=environment(GCOV_PREFIX=counts, **env), cwd="/")

    def test_the_system_s_socket(self):
        done = self.run_as_nobody("status", XDG_RUNTIME_DIR=self.folder)
        self.assertIn("ipc:///run/driftd/control.sock", done.stderr.decode())

    def test_one_s_own_socket(self):
        os.mkdir(f"{self.folder}/driftd")
        peer = self.control(lambda _: STATUS)
        os.rename(f"{self.folder}/control.sock", f"{self.folder}/driftd/control.sock")
        path = f"{self.folder}/driftd/control.sock"
        os.chmod(path, 0o666)
        done = self.run_as_nobody("status", XDG_RUNTIME_DIR=self.folder)
        self.assertIn("/run/driftd/control.sock", done.stderr.decode(), "made by somebody else, it is not the user's own")
        os.chown(path, 65534, 65534)
        self.assertEqual(self.run_as_nobody("status", XDG_RUNTIME_DIR=self.folder).returncode, 0)
        self.assertEqual(peer.questions, [{"do": "status"}])

    def test_a_socket_that_others_may_not_open(self):
        peer = self.control(lambda _: STATUS)
        os.chmod(f"{self.folder}/control.sock", stat.S_IRUSR | stat.S_IWUSR)
        done = self.run_as_nobody("--socket", peer.endpoint, "status")
        self.assertEqual(done.returncode, 77)
        self.sentence(done.stderr)


class Checking(Case):
    def file(self, text):
        handle, path = tempfile.mkstemp(suffix=".yaml", dir=self.folder)
        os.write(handle, text.encode())
        os.close(handle)
        return path

    def test_a_good_file(self):
        path = self.file("budgets:\n  - models: '*'\n    kpis:\n      accuracy: {min: 0.9}\n")
        done = run("check", path)
        self.assertEqual((done.returncode, done.stdout.decode(), done.stderr), (0, f"{path}: ok\n", b""))
        self.assertEqual(json.loads(run("--json", "check", path).stdout), {"ok": True, "files": [{"file": path, "ok": True, "errors": [], "notes": []}]})

    def test_notes(self):
        """What is no mistake, and what driftc does not look at."""
        path = self.file("security: {curve: on}\n")
        done = run("check", path)
        keys, budgets = "the files of keys that security names are not opened here", "no model will be judged"
        lines = done.stdout.decode().splitlines()
        self.assertEqual((done.returncode, lines[0], len(lines)), (0, f"{path}: ok", 3), done)
        self.assertTrue(all(line.startswith(f"{path}: note: ") for line in lines[1:]), lines)
        self.assertIn(budgets, lines[1])
        self.assertIn(keys, lines[2])
        said = json.loads(run("--json", "check", path).stdout)["files"][0]
        self.assertEqual((said["ok"], [f"{path}: note: {note}" for note in said["notes"]]), (True, lines[1:]))

    def test_mistakes_have_places_and_the_status_is_78(self):
        good, bad = self.file(""), self.file("metrics:\n  queue: many\nbudgts: []\n")
        done = run("check", good, bad)
        self.assertEqual(done.returncode, 78)
        self.assertIn(f"{good}: ok", done.stdout.decode())
        lines = done.stderr.decode().splitlines()
        self.assertEqual([line.split(": ")[0] for line in lines], [f"{bad}:2:10", f"{bad}:3:1"])
        done = run("--json", "check", good, bad)
        answer = json.loads(done.stdout)
        self.assertEqual((done.returncode, answer["ok"], [f["ok"] for f in answer["files"]]), (78, False, [True, False]))
        self.assertEqual(answer["files"][1]["errors"], lines)
        self.sentence(done.stderr)

    def test_a_file_that_is_not_there(self):
        done = run("check", f"{self.folder}/none.yaml")
        self.assertEqual(done.returncode, 78)
        self.assertIn("none.yaml", done.stderr.decode())

    def test_secrets_may_be_absent(self):
        path = self.file("state:\n  dir: ${NOT_SET_ANYWHERE}/x\n")
        self.assertEqual(run("check", path).returncode, 78)
        self.assertEqual(run("check", "--no-env", path).returncode, 0)


if __name__ == "__main__":
    unittest.main()
