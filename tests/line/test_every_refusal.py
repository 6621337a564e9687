"""Every refusal that a person or a trainer can meet is shown with what causes it: the control socket's, feedback's, driftc's.

The sentences are taken out of the sources: one that nothing here causes fails the test, unless it is named below with a reason.
"""
import json
import os
import re
import subprocess
import tempfile
import unittest

import zmq

import effects
import line
import messages
from driftc_peers import Control

MODEL = effects.MODEL
ID = "0" * 32

CONTROL = [
    (b"\xff", "not a JSON object"),
    (b"[]", 'a question is one JSON object {"do": "<command>", ...}'),
    ([b"{}", b"more"], "a question is one frame behind the envelope"),
    (b" " * 65537, "a question is at most 65536 bytes long"),
    (b'{"do": "retrain", "model": "a/b/c", "reason": "\xff"}', "not a JSON object"),
    ({"do": "dance"}, 'there is no command "dance"; there are'),
    ({"do": "retrain", "model": MODEL, "reason": 5}, '"reason" must be a string'),
    ({"do": "models", "sort": "size"}, '"sort" must be worst, name, failures, silence, events or episodes'),
    ({"do": "models", "sort": "name", "offset": -1}, '"offset" must be a whole number from 0 to 1000000'),
    ({"do": "models", "offset": 5}, '"offset" goes with "sort": without it there is no order to go on in'),
    ({"do": "models", "after": MODEL}, '"after" goes with "sort": "name", and not with "offset"'),
    ({"do": "models", "state": "sad"}, '"state" must be warming, healthy, failing, drifting, retraining, stale, silenced or unrecoverable'),
    ({"do": "models", "limit": 0}, '"limit" must be a whole number from 1 to 100000'),
    ({"do": "model"}, '"model" must be project/name/version'),
    ({"do": "explain", "model": "shop"}, '"model" must be project/name/version'),
    ({"do": "request"}, "\"request\" must be a request's id"),
    ({"do": "request", "request": "no id"}, "no request has this id"),
    ({"do": "request", "request": ID}, "no request has this id"),
    ({"do": "cancel", "request": ID}, "no request has this id"),
    ({"do": "requests", "state": "SAD"}, '"state" must be PENDING, OFFERED, RUNNING, DONE, DEAD, CANCELLED or SUPERSEDED'),
    ({"do": "requests", "most": 0}, '"most" must be a whole number from 1 to 100000'),
    ({"do": "requests", "most": -1}, '"most" must be a whole number from 1 to 100000'),
    ({"do": "requests", "most": "5"}, '"most" must be a whole number from 1 to 100000'),
    ({"do": "requests", "most": 5.0}, '"most" must be a whole number from 1 to 100000'),
    ({"do": "requests", "most": 12345678901234567890}, '"most" must be a whole number from 1 to 100000'),
    ({"do": "retrain", "model": "shop"}, '"model" must be project/name/version'),
    ({"do": "silence", "pattern": "a//b", "for_s": 5}, "a segment is empty; a segment has 1 to 128 bytes"),
    ({"do": "silence", "pattern": "shop", "for_s": 0}, '"for_s" must be seconds from 0.001 to 31622400 (366 days)'),
    ({"do": "silence", "for_s": 5}, '"pattern" must name models: project, project/name or project/name/version'),
    ({"do": "unsilence", "pattern": "nobody"}, "no silence has this pattern; `status` lists those there are"),
    ({"do": "log_level", "level": "loud"}, '"level" must be debug, info, warning or error'),
]

FEEDBACK = [
    (b"", "a message is one frame of 1 to 262144 bytes"),
    (b"[]", "a message is one JSON object"),
    ({}, '"say" is missing'),
    ({"say": 5}, '"say" must be accept, progress, done or fail'),
    ({"say": "hello", "request": ID, "attempt": 1, "trainer": "t"}, '"say" must be accept, progress, done or fail'),
    ({"say": "accept", "request": ID, "attempt": 0, "trainer": "t"}, '"attempt" must be an integer from 1'),
    ({"say": "accept", "request": ID, "attempt": 1, "trainer": "\n"},
     '"trainer" must be a string of 1 to 128 bytes without control characters'),
    ({"say": "progress", "request": ID, "attempt": 1, "trainer": "t", "fraction": 2}, '"fraction" must be a number from 0 to 1'),
    ({"say": "done", "request": ID, "attempt": 1, "trainer": "t", "metrics": 5}, '"metrics" must be an object'),
    ({"say": "done", "request": ID, "attempt": 1, "trainer": "t", "metrics": {"accuracy": "x"}},
     '"accuracy" in "metrics" must be a number from 0 to 1'),
    ({"say": "done", "request": ID, "attempt": 1, "trainer": "t", "metrics": {"latency_ms": -1}},
     '"latency_ms" in "metrics" must be a number from 0'),
    ({"say": "done", "request": ID, "attempt": 1, "trainer": "t", "metrics": {"a": "x" * 70000}}, '"metrics" is larger than 65536 bytes'),
    ({"say": "done", "request": ID, "attempt": 1, "trainer": "t", "version": "a/b"},
     "\"version\" must be a version: no '/', '*', '?', '[', no space at its ends"),
    ({"say": "fail", "request": ID, "attempt": 1, "trainer": "t", "retry": "no"}, '"retry" must be true or false'),
    ({"say": "accept", "request": ID, "attempt": 1, "trainer": "t"}, "no request has this id: stop working on it"),
]

# What is typed, the exit status, and what driftc says; {folder} is a folder with some files in it.
DRIFTC = [
    ([], 64, "say what to do (driftc help lists what there is)"),
    (["--dance"], 64, "unrecognized option '--dance'"),
    (["stauts"], 64, "there is no command 'stauts'; did you mean 'status'? (driftc help)"),
    (["xyzzy"], 64, "there is no command 'xyzzy' (driftc help lists what there is)"),
    (["help", "dance"], 64, "there is no command 'dance' (driftc help lists what there is)"),
    (["--timeout", "never", "status"], 64, "--timeout takes a number of seconds above 0, not 'never'"),
    (["status", "now"], 64, "status: 'now' is one word too many (driftc help status)"),
    (["model"], 64, "model wants ID (driftc help model)"),
    (["models", "--limit", "x"], 64, "models: --limit takes"),
    (["models", "a//b"], 64, "'a//b' is no pattern: "),
    (["watch", "a//b"], 64, "'a//b' is no pattern: "),
    (["--json", "top", "a//b"], 64, "'a//b' is no pattern: "),
    (["model", "shop"], 64, "'shop' is no model; a model is project/name/version"),
    (["explain", "shop"], 64, "'shop' is no model; a model is project/name/version"),
    (["explain", "--conf-dir", "{folder}", MODEL], 64, "explain: --conf-dir goes with --config only (driftc help explain)"),
    (["retrain", "shop"], 64, "'shop' is no model; a model is project/name/version"),
    (["retrain", MODEL, "--reason", b"\xff"], 64, "--reason is not UTF-8"),
    (["silence", "a//b", "--for", "1h"], 64, "'a//b' names no models: "),
    (["silence", "shop"], 64, "silence wants --for TIME, so that it ends by itself (driftc help silence)"),
    (["silence", "shop", "--for", "1h", "--reason", b"\xff"], 64, "--reason is not UTF-8"),
    (["silence", "shop", "--for", "long"], 64, "silence: --for takes"),
    (["request", "xyz"], 64, "'xyz' is no request; a request is its id, or at least 4 characters of its beginning"),
    (["log-level", "loud"], 64, "'loud' is no level; there are debug, info, warning and error"),
    (["top"], 64, "top needs a terminal; driftc models prints a table once, and --json works in a pipe"),
    (["trainer"], 64, "trainer wants --exec CMD (driftc help trainer)"),
    (["publish", "--rate", "1", "--speed", "1", "-"], 64, "--rate and --speed exclude each other"),
    (["publish", "--model", "shop", "-"], 64, "publish: --model takes"),
    (["publish", "--cert", "{folder}/k", "-"], 64, "is missing: CURVE needs --server-key and --cert"),
    (["publish", "--server-key", "short", "--cert", "{folder}/k", "-"], 64,
     "--server-key takes a key of 40 characters or the file that it stands in; 'short' is neither"),
    (["publish", "--server-key", "{folder}/empty", "--cert", "{folder}/k", "-"], 64, "holds no public key: --server-key takes the 40"),
    (["publish", "--server-key", "k" * 40, "--cert", "{folder}/empty", "-"], 64, "holds no secret key: `driftc keygen` makes"),
    (["publish", "--server-key", "k" * 40, "--cert", "{folder}/none", "-"], 66, "none cannot be read: No such file or directory"),
    (["publish", "{folder}/none"], 66, "none: No such file or directory"),
    (["publish", "--endpoint", "nonsense", "{folder}/events"], 64, "'nonsense' is no endpoint that can be reached: "),
    (["backtest", "{folder}/events"], 64, "backtest: say by which configuration to judge (--config FILE)"),
    (["backtest", "--config", "{folder}/empty", "--labels", "{folder}/empty", "{folder}/events"], 0,
     "there is no label in it, so every trigger counts as a false alarm"),
    (["backtest", "--config", "{folder}/empty", "{folder}/events"], 0, "has no budgets: no model is judged"),
    (["backtest", "--config", "{folder}/budgets", "--model", "shop", "{folder}/events"], 64, "backtest: --model takes project/name/version"),
    (["backtest", "--config", "{folder}/budgets", "{folder}/nameless"], 65,
     "no event could be taken; --model ID gives one to events that name none"),
    (["backtest", "--config", "{folder}/budgets", "{folder}/nameless"], 65, "further bad lines are counted, not named"),
    (["backtest", "--config", "{folder}/budgets", "{folder}/nameless"], 65, "nameless:1: dropped ("),
    (["backtest", "--config", "{folder}/budgets", "--labels", "{folder}/nameless", "{folder}/events"], 65,
     'a label is {"model": "project/name/version", "from": seconds, "to": seconds}'),
    (["--json", "check", "{folder}/bad", "{folder}/empty"], 78, "1 of 2 files have mistakes"),
    (["detect", "guess", "{folder}/empty"], 64, "no detector"),
    (["detect", "cusum", "--set", "h", "{folder}/empty"], 64, "detect: --set takes key=value, not 'h'"),
    (["detect", "cusum", *["--set", "h=5"] * 65, "{folder}/empty"], 64, "detect: --set takes given fewer times"),
    (["--timeout", "0.1", "publish", "--endpoint", "ipc://{folder}/none", "{folder}/events"], 69,
     "nobody subscribes to metrics at ipc://"),
    (["arl", "psi"], 64, "psi: a run length can be calculated for cusum, ewma and shewhart"),
    (["keygen", "a/b"], 64, "'a/b' is no name for a key: 1 to 64 letters, digits, '-', '_' and '.'"),
    (["keygen", "k", "--project", "a/b"], 64, "keygen: --project takes a project's name, 64 times at most"),
    (["keygen", "k", "--project", b"\xff"], 64, "keygen: --project takes a project's name, 64 times at most"),
    (["keygen", "k", "--file", "{folder}/events"], 73, "is there already, and may be in use: remove it, or name another with --file"),
    (["keygen", "k", "--file", "{folder}/no/k"], 73, "cannot be written: No such file or directory"),
    (["--socket", "ipc://{folder}/none", "status"], 69, "is driftd running? socket"),
    (["--socket", "ipc://" + "p" * 200, "status"], 64, "has a path too long or too short for a Unix socket"),
    (["--socket", "nonsense", "status"], 64, "'nonsense' is no endpoint that can be reached: "),
]


# The same, of a daemon that answers so (None: not at all; a list: these frames).
DAEMON = [
    (["--timeout", "0.1", "status"], None, 69, "driftd does not answer within 0.1 s: is it running? socket"),
    (["status"], [b'{"ok":true}', b"more"], 76, "does not speak as driftd does"),
    (["status"], [b"[]"], 76, "is not one of driftd's: no member ok"),
    (["watch"], {"ok": True, "security": {"curve": "on"}, "endpoints": {"events": ["tcp://127.0.0.1:1"]}}, 64,
     "this daemon asks for keys: --server-key and --cert are needed, of a client whose role is observer"),
    (["watch"], {"ok": True, "endpoints": {}}, 69, "driftd has no events socket: set events.bind in its configuration"),
    (["record", "{folder}/r"], {"ok": True, "endpoints": {}}, 69, "this driftd has no socket for recordings: its control socket"),
    (["--timeout", "0.1", "record", "{folder}/r"], {"ok": True, "endpoints": {"record": ["ipc://{folder}/none"]}}, 69,
     "driftd does not begin to send within 0.1 s"),
    (["record", "{folder}/r"], {"ok": True, "endpoints": {"record": ["nonsense"]}}, 69, "'nonsense' cannot be reached: "),
    (["request", "1234"], {"ok": True, "requests": [{"id": "12340" + "0" * 27}, {"id": "12341" + "0" * 27}]}, 64,
     "several requests begin with '1234': 12340"),
    (["request", "1234"], {"ok": True, "requests": []}, 1, "no request begins with '1234' (driftc requests)"),
]

# What test_of_the_life_of_a_request causes.
LIFE = ["attempt 1 has not been offered yet", "has not been accepted by anybody: accept it first", "is held by another trainer: stop",
        "the request is DONE: stop working on it", "is not the current one, which is 1: stop working on it",
        "the store cannot be read now: try again", "is live (RUNNING): cancel it first, or wait", "the request has ended already",
        "the request is live: there is nothing to put back"]
# What nobody can cause here, and why; or where it is shown.
NOT_SHOWN = {
    'the lists that are being made, or are not read yet, take the memory there is for them: ask again, or for fewer with "limit"':
        "check_lists fills that memory",
    "the question is not UTF-8": "such a question is no JSON, which is told first",
    '"pattern" and "for_s" must say which models, and for how long': "the control socket has seen to it",
    "\"pattern\" is longer than any model\\'s id": "the same", "the keeper of requests does not know this command": "the same",
    "the store cannot be written now: try again": "tests/fault makes the disk fail",
    "%s: is there already, and is no recording that could be gone on with":
        "test_driftc_backtest.Recorded.test_what_is_no_recording_is_left_alone",
    "this version has not served yet, as far as is known here: if its id is mistyped, cancel the request": "no refusal; check_requests.c",
    "%s: this event is due in %s, by its time and --speed; Ctrl-C ends it":
        "test_driftc_publish.Publish.test_a_time_far_ahead_is_told",
    "there is no memory for the answer": "memory",
    "the log level was set by the operator": "of the log", "by hand%s%s": "of the history", "again after %s%s%s": "of the history",
    '"request" must be the id of a request': "the control socket has seen to it",
    '"%s" must be a string': "two places have it; the control socket's is shown",
    "this key is not for the project of the request": "it takes CURVE: test_daemon_projects.py",
    "the store cannot be read now: try again": "tests/fault makes the disk fail",
    "no permission to open the socket %s; its group may, or root": "test_driftc_control.Looking.test_a_socket_that_others_may_not_open",
    "driftd at %s has taken nothing for %s": "test_driftc_publish.Publish.test_the_daemon_goes_for_good",
    "the last messages did not leave for %s: is driftd running?": "test_driftc_publish.Publish.test_the_daemon_goes_for_good",
    "%s events are missing from %s: the daemon took them faster than they could be written": "of a recording under a load that "
    "no test can count on",
    "%s: wrong usage (driftc help %s)": "argp ends the program before", "wrong usage (driftc help)": "the same",
    "this libzmq knows no CURVE": "the one of Debian does",
    "no memory for %s": "memory", "there is no memory left": "memory", "cannot send to %s: %s": "a fault of the system",
    "cannot read signals: %s": "a fault of the system", "cannot make the command's input: %s": "a fault of the system",
    "cannot make a pipe: %s": "a fault of the system", "cannot start a process: %s": "a fault of the system",
}


def said_by_driftc():
    """{sentence: file} of what driftc says on standard error, and of what an option's value has to be."""
    text = r'(?:"(?:\\.|[^"\\])*"\s*)+'
    call = re.compile(r"\b(?:say_and_end|say)\s*\(\s*(?:EX_\w+\s*,|[a-z_]+\s*,)?\s*(" + text + ")|return (" + text + ");")
    found = {}
    for path in sorted(messages.glob.glob(os.path.join(line.ROOT, "cli", "*.c"))):
        with open(path, encoding="utf-8") as file:
            for match in call.finditer(file.read()):
                sentence = messages.literals(match.group(1) or match.group(2))[0]
                if re.search(r"[a-z]{2,} [a-z'(]", messages.CONVERSION.sub("", sentence)):
                    found[sentence] = os.path.relpath(path, line.ROOT)
    return found


def refused_by_stations():
    """{sentence: file} of what the stations and the life of a request refuse with."""
    found = {}
    for folder in ("daemon/requests", "daemon/control", "daemon/engine", "lib/retrain"):
        for path in sorted(messages.glob.glob(os.path.join(line.ROOT, folder, "*.c"))):
            with open(path, encoding="utf-8") as file:
                for call in re.findall(r"\b(?:feedback_refused|command_refuse|refuse)\s*\(([^;{]*?)\);", file.read(), re.S):
                    found.update({sentence: os.path.relpath(path, line.ROOT) for sentence in messages.literals(call)
                                  if re.search(r"[a-z]{2,} [a-z]", messages.CONVERSION.sub("", sentence))})
    return found


class Refusals(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def ask(self, daemon, name, question):
        socket = daemon.socket(zmq.REQ, name)
        question = json.dumps(question).encode() if isinstance(question, dict) else question
        socket.send_multipart(question if isinstance(question, list) else [question])
        answer = json.loads(line.receive(socket))
        socket.close()
        return answer

    def test_of_the_control_socket_and_of_feedback(self):
        with effects.running() as daemon:
            for name, table in (("control", CONTROL), ("feedback", FEEDBACK)):
                for question, sentence in table:
                    with self.subTest(question):
                        answer = self.ask(daemon, name, question)
                        self.assertFalse(answer["ok"])
                        self.assertTrue(answer["error"])
                        self.assertIn(sentence, answer["message"])

    def test_of_the_life_of_a_request(self):
        """What a trainer is told depends on how the request stands."""
        with effects.running() as daemon:
            request = effects.retrain(self, daemon)
            say = {"request": request, "attempt": 1, "trainer": "a"}
            feedback = lambda **members: self.ask(daemon, "feedback", {**say, **members})  # noqa: E731
            self.assertIn("attempt 1 has not been offered yet", feedback(say="accept")["message"])
            trainer = effects.Trainer(daemon, "a")
            trainer.pull()
            self.assertIn("attempt 1 has not been accepted by anybody: accept it first", feedback(say="progress")["message"])
            self.assertTrue(feedback(say="accept")["ok"])
            self.assertIn("attempt 1 is held by another trainer: stop working on it", feedback(say="progress", trainer="b")["message"])
            self.assertIn("attempt 2 is not the current one, which is 1: stop working on it", feedback(say="progress", attempt=2)["message"])
            control = lambda **members: self.ask(daemon, "control", members)  # noqa: E731
            self.assertIn("is live (RUNNING): cancel it first, or wait", control(do="retrain", model=MODEL)["message"])
            self.assertIn("the request is live: there is nothing to put back", control(do="requeue", request=request)["message"])
            self.assertTrue(feedback(say="done")["ok"])
            self.assertIn("the request is DONE: stop working on it", feedback(say="progress")["message"])
            self.assertIn("the request has ended already", control(do="cancel", request=request)["message"])

    def test_of_one_silence_too_many(self):
        with effects.running() as daemon:
            socket = daemon.socket(zmq.REQ, "control")
            for i in range(1025):
                socket.send_json({"do": "silence", "pattern": f"shop/m{i}", "for_s": 3600})
                answer = json.loads(line.receive(socket))
            self.assertIn("there are 1024 silences already: end some, or use wider patterns", answer["message"])
            socket.close()

    def test_of_driftc(self):
        files = {"events": '{"model": "shop/a/v1", "timestamp": 1, "accuracy": 1}\n', "empty": "", "bad": "wrokers: 1\n",
                 "nameless": '{"accuracy": 1}\n' * 12, "k": "nothing\n", "budgets": json.dumps({"budgets": [effects.budget()]})}
        for name, text in files.items():
            with open(os.path.join(self.folder, name), "w") as file:
                file.write(text)
        for words, status, sentence in DRIFTC:
            with self.subTest(words):
                words = [word if isinstance(word, bytes) else word.replace("{folder}", self.folder) for word in words]
                done = subprocess.run([effects.DRIFTC, *words], capture_output=True, timeout=line.PATIENCE_S, stdin=subprocess.DEVNULL)
                self.assertIn(sentence, done.stderr.decode())
                self.assertEqual(done.returncode, status, done.stderr)

    def test_of_driftc_by_what_it_is_answered(self):
        for words, answer, status, sentence in DAEMON:
            with self.subTest(sentence):
                filled = lambda text: text.replace("{folder}", self.folder)  # noqa: E731
                peer = Control(self.folder, lambda _: json.loads(filled(json.dumps(answer))) if isinstance(answer, dict) else answer)
                done = subprocess.run([effects.DRIFTC, "--socket", peer.endpoint, *map(filled, words)], capture_output=True,
                                      timeout=line.PATIENCE_S, text=True, stdin=subprocess.DEVNULL)
                peer.close()
                self.assertIn(sentence, done.stderr)
                self.assertEqual(done.returncode, status, done.stderr)
        for words in (["help"], ["help", "status"], ["--help"], ["--version"]):
            for program in (effects.DRIFTC, line.DRIFTD) if words[0].startswith("--") else (effects.DRIFTC,):
                with open("/dev/full", "w") as full:
                    done = subprocess.run([program, *words], stdout=full, stderr=subprocess.PIPE, text=True)
                self.assertEqual((done.returncode, done.stderr), (74, f"{os.path.basename(program)}: cannot write the output: "
                                                                      "No space left on device\n"))

    def test_z_every_sentence_is_here(self):
        """The tables above, and what the tests of driftc and of the stations assert."""
        shown = [sentence for table in (CONTROL, FEEDBACK, DRIFTC, DAEMON) for *_, sentence in table]
        shown += LIFE + ["cannot write the output", "2 events before the next line did not arrive here",
                         "there are 1024 silences already: end some, or use wider patterns"]
        sources = messages.sentences("daemon/control/commands.c", "lib/wire/feedback.c", "daemon/requests/commands.c")
        missing = []
        for sentence, path in {**sources, **said_by_driftc(), **refused_by_stations()}.items():
            if sentence not in NOT_SHOWN and not any(messages.is_part_of(part, sentence) for part in shown):
                missing.append(f"{path}: {sentence}")
        self.assertEqual("\n".join(missing), "", "nothing here causes these sentences")


if __name__ == "__main__":
    unittest.main()
