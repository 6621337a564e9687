"""driftc trainer against the daemon's side of jobs and feedback, which drops replies, refuses, cancels and restarts."""
import json
import os
import signal
import unittest

import zmq

from driftc_peers import Case, HOSTILE, LIMIT_S, run, started, until

REQUEST = "4f1c00d2"


def job(request=REQUEST, attempt=1, **data):
    return {"specversion": "1.0", "type": "driftd.retraining.requested", "source": "driftd/h", "id": f"{request}/{attempt}",
            "time": "2026-11-23T10:00:00.000Z", "subject": "shop/detector/v1", "datacontenttype": "application/json",
            "data": {"request": request, "attempt": attempt, "model": {"project": "shop", "name": "detector", "version": "v1"},
                     "created_at": "2026-11-23T10:00:00.000Z", "strategy": "bayesian", "strategy_reason": "cheapest: 3 GPU-hours",
                     "accept_within_s": 30, "lease_s": 300,
                     "trigger": {"rule": "accuracy mean < 0.8", "metric": "accuracy", "observed": 0.52, "limit": 0.8, "window": 64, "failures": 3},
                     "metrics": {}, "previous": [], "parameters": {"trials": 40}, **data}}


class Trainer(Case):
    def setUp(self):
        super().setUp()
        self.jobs_at, self.feedback_at = f"ipc://{self.folder}/jobs.sock", f"ipc://{self.folder}/feedback.sock"
        self.jobs = self.feedback = None
        self.addCleanup(self.unbind)
        self.bind()

    def bind(self):
        context = zmq.Context.instance()
        self.jobs, self.feedback = context.socket(zmq.PUSH), context.socket(zmq.ROUTER)
        for peer in (self.jobs, self.feedback):
            peer.linger = 0
        self.jobs.sndhwm, self.jobs.immediate = 1, True
        self.jobs.sndtimeo = LIMIT_S * 1000
        self.jobs.bind(self.jobs_at)
        self.feedback.bind(self.feedback_at)

    def unbind(self):
        for peer in (self.jobs, self.feedback):
            if peer:
                peer.close()

    def trainer(self, command, *words, **more):
        return started("trainer", "--exec", command, "--jobs-endpoint", self.jobs_at, "--feedback-endpoint", self.feedback_at, "--name", "gpu-3",
                       *words, **more)

    def push(self, message):
        self.jobs.send_json(message)

    def take(self):
        """The next message of the trainer: (envelope, what it says)."""
        self.assertTrue(self.feedback.poll(LIMIT_S * 1000), "the trainer says nothing")
        frames = self.feedback.recv_multipart()
        empty = frames.index(b"")
        self.assertEqual(len(frames), empty + 2)
        return frames[:empty + 1], json.loads(frames[-1])

    def reply(self, envelope, answer):
        self.feedback.send_multipart(envelope + [json.dumps(answer).encode()])

    def hear(self, say, answer=None, **members):
        """The next message that is no progress (or is one, if asked for): answered, compared, returned."""
        while True:
            envelope, message = self.take()
            if message["say"] == "progress" != say:
                self.reply(envelope, {"ok": True, "lease_s": 300, "cancel": False})
                continue
            break
        if say == "accept": # a trainer that has a job takes itself off the list before it answers
            until(lambda: not self.jobs.poll(0, zmq.POLLOUT), "the trainer is not offered another")
        expected = {"say": say, "request": REQUEST, "attempt": 1, "trainer": "gpu-3", **members}
        self.assertEqual({key: message.get(key) for key in expected}, expected)
        default = {"ok": True, "lease_s": 300} if say in ("accept", "progress") else {"ok": True}
        if answer is not False:
            self.reply(envelope, answer or default)
        return message

    def ends(self, process, status):
        """The log, once driftc has ended."""
        _, log = process.communicate(timeout=LIMIT_S)
        self.assertEqual(process.returncode, status)
        return log.decode()

    def file(self, name):
        return f"{self.folder}/{name}"

    def text(self, name):
        with open(self.file(name)) as source:
            return source.read()

    def gone(self, name):
        """Waits until the process whose number is in a file is no more."""
        until(lambda: os.path.exists(self.file(name)) and self.text(name).endswith("\n"), f"{name} is written")
        until(lambda: not running(int(self.text(name))), f"{name} ends")


def running(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


class Working(Trainer):
    def test_a_job_from_offer_to_done(self):
        command = (f'cat > {self.folder}/input; env -0 > {self.folder}/env; echo progress 0.25 first fold; echo some words; '
                   """echo '{"version": "v2", "artifact": "s3://m/v2", "metrics": {"accuracy": 0.97}, "gpu_hours": 1.5, "other": 1}'""")
        with self.trainer(command, "--once") as process:
            sent = job()
            self.push(sent)
            self.hear("accept", {"ok": True, "lease_s": 120})
            done = self.hear("done", version="v2", artifact="s3://m/v2", metrics={"accuracy": 0.97}, gpu_hours=1.5)
            self.assertNotIn("other", done)
            log = self.ends(process, 0)
        self.assertEqual(json.loads(self.text("input")), sent)
        self.assertTrue(self.text("input").endswith("}\n"))
        env = dict(item.split("=", 1) for item in self.text("env").split("\0") if item.startswith("DRIFT_"))
        self.assertEqual(env, {
            "DRIFT_REQUEST": REQUEST, "DRIFT_ATTEMPT": "1", "DRIFT_MODEL": "shop/detector/v1", "DRIFT_PROJECT": "shop", "DRIFT_NAME": "detector",
            "DRIFT_VERSION": "v1", "DRIFT_STRATEGY": "bayesian", "DRIFT_STRATEGY_REASON": "cheapest: 3 GPU-hours", "DRIFT_PARAMETERS": '{"trials":40}',
            "DRIFT_RULE": "accuracy mean < 0.8", "DRIFT_METRIC": "accuracy", "DRIFT_OBSERVED": "0.52", "DRIFT_LIMIT": "0.8", "DRIFT_LEASE_S": "120",
            "DRIFT_TRAINER": "gpu-3"})
        for words in ("waits for jobs", "accepted, lease 2 min", "  | some words", "done; the daemon has it"):
            self.assertIn(words, log)
        self.assertNotIn("first fold", log)

    def test_a_log_whose_reader_ends(self):
        """Nobody reads any more what a terminal or `tee` showed: the work goes on, and is told."""
        os.mkfifo(self.file("go"))
        with self.trainer(f"read word < {self.folder}/go; echo some words; echo others >&2", "--once") as process:
            self.push(job())
            self.hear("accept")
            process.stderr.close()
            process.stdout.close()
            with open(self.file("go"), "w") as go:
                go.write("on\n")
            self.hear("done")
            self.assertGreaterEqual(process.wait(LIMIT_S), 0)  # no signal ended it
            process.stderr = process.stdout = None

    def test_a_terminal_that_closes_ends_the_training_too(self):
        with self.trainer(f"sh -c 'echo $$ > {self.folder}/pid; sleep 100'", "--once") as process:
            self.push(job())
            self.hear("accept")
            until(lambda: os.path.exists(self.file("pid")) and self.text("pid").endswith("\n"), "it runs")
            process.send_signal(signal.SIGHUP)
            self.hear("fail")
            self.gone("pid")

    def test_a_long_note_is_cut_where_a_character_ends(self):
        os.mkfifo(self.file("go"))
        for before in ("x", "xx", "xxx"):
            with self.trainer(f"echo progress 0.5 {before}{'€' * 100}; read word < {self.folder}/go", "--once") as process:
                self.push(job())
                self.hear("accept")
                told = None
                while not told:
                    envelope, message = self.take()
                    told = message if message["say"] == "progress" and message.get("fraction") == 0.5 else None
                    self.assertEqual(message["say"], "progress")
                    self.reply(envelope, {"ok": True, "lease_s": 300, "cancel": False})
                self.assertRegex(told["note"], f"^{before}€{{60,}}$")
                with open(self.file("go"), "w") as go:
                    go.write("on\n")
                self.hear("done")
                self.ends(process, 0)

    def test_the_time_it_took_is_the_cost_where_nothing_is_said(self):
        with self.trainer("true", "--once") as process:
            self.push(job())
            self.hear("accept")
            done = self.hear("done")
            self.ends(process, 0)
        self.assertEqual(set(done), {"say", "request", "attempt", "trainer", "gpu_hours"})
        self.assertTrue(0 < done["gpu_hours"] < LIMIT_S / 3600)

    def test_progress_keeps_the_lease_and_carries_notes(self):
        command = f"echo progress 0.4 half way; echo progress 2 x; echo progress; while [ ! -e {self.folder}/go ]; do sleep 0.02; done; echo '{{}}'"
        with self.trainer(command, "--once") as process:
            self.push(job())
            self.hear("accept", {"ok": True, "lease_s": 0.9})
            for _ in range(4):
                self.hear("progress", {"ok": True, "lease_s": 0.9, "cancel": False}, fraction=0.4, note="half way")
            open(self.file("go"), "w").close()
            self.hear("done")
            log = self.ends(process, 0)
        self.assertIn("  | progress 2 x", log)

    def test_one_job_after_another(self):
        with self.trainer("""echo '{"version": "v2"}'""") as process:
            for attempt in range(1, 6):
                self.push(job(attempt=attempt))
                self.hear("accept", attempt=attempt)
                self.hear("done", attempt=attempt, version="v2")
            process.send_signal(signal.SIGTERM)
            self.ends(process, 0)

    def test_a_busy_trainer_is_offered_nothing(self):
        with self.trainer(f"while [ ! -e {self.folder}/go ]; do sleep 0.02; done") as process:
            self.push(job())
            self.hear("accept")
            self.assertFalse(self.jobs.poll(0, zmq.POLLOUT))
            open(self.file("go"), "w").close()
            self.hear("done")
            self.assertTrue(self.jobs.poll(LIMIT_S * 1000, zmq.POLLOUT))
            process.send_signal(signal.SIGTERM)
            self.ends(process, 0)

    def test_what_is_no_job_is_passed_over(self):
        with self.trainer("true", "--once") as process:
            for raw in (b"", b"nonsense", b"[]", b"{}", b'{"data": {}}', b'{"data": {"request": "x"}}', b'{"data": {"request": "x", "attempt": 0}}',
                        b'{"data": {"request": 5, "attempt": 1}}', b'{"data": {"request": "\xff", "attempt": 1}}', b'{"data": {"request": "a\\u0000b", "attempt": 1}}'):
                self.jobs.send(raw)
            self.push(job())
            self.hear("accept")
            self.hear("done")
            self.assertEqual(self.ends(process, 0).count("is no job"), 10)

    def test_values_from_outside_do_no_harm(self):
        """They are data to the command, and visible in the log."""
        evil = f"$(touch {self.folder}/harm); `touch {self.folder}/harm` ' \" {HOSTILE}"
        command = f'printf %s "$DRIFT_STRATEGY" > {self.folder}/strategy; printf "\\033[2J\\n"; printf "x\\033[2J\\n" >&2'
        with self.trainer(command, "--once") as process:
            self.push(job(strategy=evil, strategy_reason=evil, model={"project": evil, "name": HOSTILE, "version": "\x07"}))
            self.hear("accept")
            self.hear("done")
            log = self.ends(process, 0)
        with open(self.file("strategy"), newline="") as source:
            self.assertEqual(source.read(), evil)
        self.assertFalse(os.path.exists(self.file("harm")))
        self.assert_harmless(log)

    def test_what_the_daemon_would_not_take_is_left_out(self):
        command = """echo '{"version": "a/b", "artifact": "", "metrics": [1], "gpu_hours": -1}'"""
        with self.trainer(command, "--once") as process:
            self.push(job())
            self.hear("accept")
            done = self.hear("done")
            log = self.ends(process, 0)
        self.assertEqual(set(done), {"say", "request", "attempt", "trainer", "gpu_hours"})
        self.assertGreater(done["gpu_hours"], 0)
        for name in ("version", "artifact", "metrics", "gpu_hours"):
            self.assertIn(f"{name} left out", log)

    def test_odd_output(self):
        for command in ("printf '{\"version\": \"v2\"}'", "printf '\\n\\n{\"version\": \"v2\"}\\r\\n\\n  '; printf '\\n' ", "head -c 3000000 /dev/zero; echo; echo '{\"version\": \"v2\"}'",
                        "yes | head -n 200000; echo '{\"version\": \"v2\"}'", "exec 2>&-; exec 0<&-; echo '{\"version\": \"v2\"}'; exec >&-; sleep 0.1"):
            with self.subTest(command=command), self.trainer(command, "--once") as process:
                self.push(job())
                self.hear("accept")
                message = self.hear("done")
                if "  '" not in command:
                    self.assertEqual(message["version"], "v2")
                self.ends(process, 0)

    def test_steps_as_json(self):
        with self.trainer("true", "--once", "--json") as process:
            self.push(job())
            self.hear("accept")
            self.hear("done")
            self.assertEqual(process.wait(LIMIT_S), 0)
            steps = [json.loads(line) for line in process.stdout]
        self.assertEqual([step["step"] for step in steps], ["waiting", "offered", "accepted", "trained", "done", "ended"])
        self.assertEqual([steps[1][key] for key in ("request", "attempt", "model")], [REQUEST, 1, "shop/detector/v1"])

    def test_wrong_usage(self):
        for words in (["--exec", "x", "--name", ""], ["--exec", "x", "--name", HOSTILE], ["--exec", "x", "word"], ["--exec", "x", "--grace", "-1"],
                      ["--exec", "x", "--jobs-endpoint", "nonsense"], ["--exec", "x", "--feedback-endpoint", "nonsense"]):
            with self.subTest(words=words):
                done = run("trainer", *words)
                self.assertEqual(done.returncode, 64)
                self.sentence(done.stderr)


class Failing(Trainer):
    def fails(self, command, *words, status=1, **members):
        with self.trainer(command, "--once", *words) as process:
            self.push(job())
            self.hear("accept")
            message = self.hear("fail", **members)
            self.ends(process, status)
        return message

    def test_the_last_line_of_its_errors_is_why(self):
        self.fails("echo one >&2; echo 'CUDA out of memory' >&2; echo >&2; exit 3", error="CUDA out of memory", retry=True)

    def test_without_a_word(self):
        self.fails("exit 3", error="ended with status 3", retry=True)
        self.fails("kill -SEGV $$", error="killed by signal 11 (SEGV)", retry=True)

    def test_no_retry(self):
        self.fails("exit 3", "--no-retry", retry=False)
        self.fails("exit 75", "--no-retry", retry=True)

    def test_the_last_line_of_its_output_says_it_all(self):
        self.fails("""echo noise >&2; echo '{"error": "no data", "retry": false, "gpu_hours": 2.5}'; exit 3""",
                   error="no data", retry=False, gpu_hours=2.5)
        self.fails("""echo '{"error": "no data"}'; exit 3""", error="no data", retry=True)
        self.fails("""echo '{"retry": true}'; echo why >&2; exit 3""", "--no-retry", error="why", retry=True)
        self.fails("""echo '{"error": 5, "retry": "no", "gpu_hours": -1}'; echo why >&2; exit 3""", error="why", retry=True)
        self.fails("""echo '{"error": "early"}'; echo no JSON; echo why >&2; exit 3""", error="why", retry=True)

    def test_what_it_says_wrongly_is_told(self):
        with self.trainer("""echo '{"error": 5, "retry": "no", "gpu_hours": -1}'; exit 3""", "--once") as process:
            self.push(job())
            self.hear("accept")
            self.hear("fail", error="ended with status 3", retry=True)
            log = self.ends(process, 1)
        self.assertIn("ended with status 3; error left out: not a text; retry left out: not true or false; "
                      "gpu_hours left out: not a number from 0", log)

    def test_a_command_that_is_not_there(self):
        message = self.fails("/nonexistent/train", retry=True)
        self.assertIn("/nonexistent/train", message["error"])

    def test_errors_that_are_no_text(self):
        message = self.fails("printf 'bad \\377\\033[2J end\\n' >&2; exit 1")
        self.assertEqual(message["error"], "bad \\xff\\x1b[2J end")
        message = self.fails("head -c 100000 /dev/zero | tr '\\0' 'x' >&2; echo the end >&2; exit 1")
        self.assertLessEqual(len(message["error"]), 256)

    def test_what_it_leaves_running_is_killed(self):
        self.fails(f"sleep 1000 & echo $! > {self.folder}/child; exit 1")
        self.gone("child")


class Refused(Trainer):
    def test_a_stale_offer_is_not_worked_on(self):
        with self.trainer(f"echo x >> {self.folder}/ran", "--once") as process:
            for code in ("stale_attempt", "ended", "unknown_request"):
                self.push(job(request="old"))
                self.hear("accept", {"ok": False, "error": code, "message": "no"}, request="old")
            self.push(job())
            self.hear("accept")
            self.hear("done")
            self.ends(process, 0)
        self.assertEqual(self.text("ran"), "x\n")

    def working(self, *words, command=None):
        """A trainer whose command and the command's child both wait."""
        return self.trainer(command or f"sleep 1000 & echo $! > {self.folder}/child; echo $$ > {self.folder}/leader; wait", "--once", *words)

    def test_cancel(self):
        with self.working() as process:
            self.push(job())
            self.hear("accept", {"ok": True, "lease_s": 0.3})
            self.gone_after(lambda: self.hear("progress", {"ok": True, "lease_s": 0.3, "cancel": True}))
            self.hear("fail", retry=False, error="cancelled, as the daemon asked")
            self.ends(process, 1)

    def gone_after(self, act):
        until(lambda: os.path.exists(self.file("leader")) and self.text("leader").endswith("\n"), "the command runs")
        act()
        self.gone("child")
        self.gone("leader")

    def test_stale_while_it_works(self):
        for code in ("stale_attempt", "ended", "unknown_request", "not_accepted"):
            with self.subTest(code=code), self.working() as process:
                self.push(job())
                self.hear("accept", {"ok": True, "lease_s": 0.3})
                self.gone_after(lambda: self.hear("progress", {"ok": False, "error": code, "message": "stop"}))
                log = self.ends(process, 1)
                self.assertIn("nothing is reported", log)
                self.assertFalse(self.feedback.poll(0), "it had nothing more to say")
                os.unlink(self.file("leader"))
                os.unlink(self.file("child"))

    def test_a_command_that_will_not_stop_is_killed(self):
        command = f"trap '' TERM; echo $$ > {self.folder}/child; echo $$ > {self.folder}/leader; while :; do sleep 0.1; done"
        with self.working("--grace", "0.2", command=command) as process:
            self.push(job())
            self.hear("accept", {"ok": True, "lease_s": 0.3})
            self.gone_after(lambda: self.hear("progress", {"ok": True, "lease_s": 0.3, "cancel": True}))
            self.hear("fail", retry=False)
            self.ends(process, 1)

    def test_a_done_that_nobody_wants(self):
        for code in ("stale_attempt", "ended", "unknown_request"):
            with self.subTest(code=code), self.trainer("true", "--once") as process:
                self.push(job())
                self.hear("accept")
                self.hear("done", {"ok": False, "error": code, "message": "too late"})
                self.assertIn("too late", self.ends(process, 1))

    def test_a_done_that_is_not_understood_becomes_a_fail(self):
        with self.trainer("true", "--once") as process:
            self.push(job())
            self.hear("accept")
            self.hear("done", {"ok": False, "error": "bad_message", "message": "no"})
            self.hear("fail", retry=True, error="the outcome was refused: no")
            self.ends(process, 1)


class Unanswered(Trainer):
    """Replies that are lost, late, doubled or those of another message; a daemon that goes and comes back."""

    def test_every_message_is_said_again_until_it_is_answered(self):
        with self.trainer(f"echo x >> {self.folder}/ran; sleep 0.5", "--once") as process:
            self.push(job())
            first = self.hear("accept", False)
            self.assertEqual(self.hear("accept", {"ok": True, "lease_s": 0.3}), first)
            first = self.hear("progress", False)
            self.assertEqual(self.hear("progress", {"ok": True, "lease_s": 0.3, "cancel": False}), first)
            first = self.hear("done", False)
            for _ in range(3):
                self.assertEqual(self.hear("done", False), first)
            self.assertEqual(self.hear("done"), first)
            self.ends(process, 0)
        self.assertEqual(self.text("ran"), "x\n")

    def test_a_busy_store_is_asked_again(self):
        with self.trainer("true", "--once") as process:
            busy = {"ok": False, "error": "unavailable", "message": "try again"}
            self.push(job())
            self.hear("accept", busy)
            self.hear("accept", {"ok": True, "lease_s": 0.3})
            first = self.hear("done", busy)
            self.assertEqual(self.hear("done"), first)
            self.ends(process, 0)

    def test_replies_that_are_not_for_this_message(self):
        with self.trainer(f"echo x >> {self.folder}/ran; sleep 0.3", "--once") as process:
            self.push(job())
            envelope, message = self.take()
            self.assertEqual(message["say"], "accept")
            refusal = {"ok": False, "error": "ended", "message": "not for you"}
            peer, token = envelope[0], envelope[1]
            for frames in ([b"other", b"", json.dumps(refusal).encode()], [b"", json.dumps(refusal).encode()], [token, b"", b"{"], [token, b"", b"[]"], [token, b"", b"{}"],
                           [token, b"x", json.dumps(refusal).encode()], [token, b"", json.dumps(refusal).encode(), b"more"], [token], [b""]):
                self.feedback.send_multipart([peer] + frames)
            for _ in range(3): # the reply three times over: the others must not be taken for those of what comes next
                self.reply(envelope, {"ok": True, "lease_s": 0.3})
            self.hear("progress", {"ok": True, "lease_s": 300, "cancel": False})
            self.hear("done")
            self.ends(process, 0)
        self.assertEqual(self.text("ran"), "x\n")

    def test_the_daemon_restarts_before_it_answers_done(self):
        with self.trainer(f"echo x >> {self.folder}/ran", "--once") as process:
            self.push(job())
            self.hear("accept", {"ok": True, "lease_s": 0.3})
            first = self.hear("done", False)
            for _ in range(3):
                self.unbind()
                self.bind()
                self.assertEqual(self.hear("done", False), first)
            self.assertEqual(self.hear("done"), first)
            self.ends(process, 0)
        self.assertEqual(self.text("ran"), "x\n")

    def test_the_daemon_restarts_while_the_command_works(self):
        with self.trainer(f"while [ ! -e {self.folder}/go ]; do sleep 0.02; done", "--once") as process:
            self.push(job())
            self.hear("accept", {"ok": True, "lease_s": 0.3})
            self.unbind()
            self.bind()
            self.hear("progress", {"ok": True, "lease_s": 0.3, "cancel": False})
            open(self.file("go"), "w").close()
            self.hear("done")
            self.ends(process, 0)

    def test_a_trainer_that_was_there_first(self):
        self.unbind()
        with self.trainer("true", "--once") as process:
            self.bind()
            self.push(job())
            self.hear("accept")
            self.hear("done")
            self.ends(process, 0)


class Stopping(Trainer):
    def test_while_it_waits(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.trainer("true") as process:
                self.assertTrue(self.jobs.poll(LIMIT_S * 1000, zmq.POLLOUT))
                process.send_signal(number)
                self.ends(process, 0)

    def test_while_it_asks(self):
        with self.trainer(f"touch {self.folder}/ran") as process:
            self.push(job())
            self.hear("accept", False)
            process.send_signal(signal.SIGTERM)
            self.hear("fail", {"ok": False, "error": "not_accepted", "message": "accept it first"}, retry=True, error="the trainer was stopped")
            self.ends(process, 0)
        self.assertFalse(os.path.exists(self.file("ran")))

    def test_while_the_command_works(self):
        with self.trainer(f"sleep 1000 & echo $! > {self.folder}/child; wait") as process:
            self.push(job())
            self.hear("accept")
            until(lambda: os.path.exists(self.file("child")) and self.text("child").endswith("\n"), "the command runs")
            process.send_signal(signal.SIGTERM)
            self.hear("fail", retry=True, error="the trainer was stopped")
            self.ends(process, 0)
        self.gone("child")

    def test_while_done_is_not_answered(self):
        with self.trainer("true") as process:
            self.push(job())
            self.hear("accept", {"ok": True, "lease_s": 0.3})
            first = self.hear("done", False)
            process.send_signal(signal.SIGTERM)
            self.assertEqual(self.hear("done", False), first)
            self.assertEqual(self.hear("done"), first)
            self.ends(process, 0)

    def test_twice_is_at_once(self):
        with self.trainer(f"trap '' TERM; echo $$ > {self.folder}/child; while :; do sleep 0.1; done") as process:
            self.push(job())
            self.hear("accept")
            until(lambda: os.path.exists(self.file("child")) and self.text("child").endswith("\n"), "the command runs")
            process.send_signal(signal.SIGTERM)
            self.assertTrue(any(b"the command is stopped" in line for line in process.stderr))
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(LIMIT_S), 75)
        self.gone("child")

    def test_killed_outright_its_command_is_told(self):
        with self.trainer(f"echo $$ > {self.folder}/child; exec sleep 1000") as process:
            self.push(job())
            self.hear("accept")
            until(lambda: os.path.exists(self.file("child")) and self.text("child").endswith("\n"), "the command runs")
            process.kill()
            self.gone("child")


if __name__ == "__main__":
    unittest.main()
