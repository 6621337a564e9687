#!/usr/bin/env python3
"""invariants.py [options] STORE [EARLIER]: what must be true of a store of requests, whatever happened to the daemon.

Reads requests.db after the daemon has stopped or was killed (a copy of it: nothing is changed), and optionally an earlier
copy of the same store, of which nothing may have been lost. With --trainers the trainers' own logs are held against it: what
they got was committed before it was sent (3), what they were granted was committed before they were told (7). Knows the
store's tables, docs/requests.md and the lines that trainer.py writes, and nothing else of the daemon. Prints one line a
violation and ends with how many there were.
"""
import argparse
import collections
import json
import os
import shutil
import sqlite3
import sys
import tempfile

LIVE = ("PENDING", "OFFERED", "RUNNING")
FINAL = ("DONE", "DEAD", "CANCELLED", "SUPERSEDED")
TABLE = {
    None: {"PENDING"},
    "PENDING": {"OFFERED", "RUNNING", "DEAD", "CANCELLED", "SUPERSEDED"},
    "OFFERED": {"PENDING", "RUNNING", "DONE", "DEAD", "CANCELLED", "SUPERSEDED"},
    "RUNNING": {"PENDING", "DONE", "DEAD"},
}
Line = collections.namedtuple("Line", "seq request attempt at source to by why")
Request = collections.namedtuple("Request", "id model family episode state attempt taken")


def read(store):
    """Returns ({id: Request}, [Line]) of a copy of the store and its log."""
    with tempfile.TemporaryDirectory() as folder:
        for end in ("", "-wal", "-journal"):
            if os.path.exists(store + end):
                shutil.copy(store + end, os.path.join(folder, "requests.db" + end))
        db = sqlite3.connect(os.path.join(folder, "requests.db"))
        verdict = db.execute("PRAGMA integrity_check").fetchone()[0]
        if verdict != "ok":
            sys.exit(f"{store}: damaged: {verdict}")
        requests = [Request(*row) for row in
                    db.execute("SELECT id, model, family, episode, state, attempt, taken FROM requests")]
        lines = [Line(*row) for row in
                 db.execute('SELECT seq, coalesce(id, h.request), h.attempt, at, "from", "to", "by", why FROM history h'
                            " LEFT JOIN requests ON number = h.request ORDER BY seq")]
        db.close()
        return {r.id: r for r in requests}, lines


def committed(requests, by_request):
    """1: every request is live or final, and its history ends where it stands."""
    for r in requests.values():
        if r.state not in LIVE + FINAL:
            yield f"1: {r.id} is {r.state}, which is no state"
        lines = by_request.get(r.id)
        if not lines:
            yield f"1: {r.id} has no history"
        elif lines[-1].to != r.state:
            yield f"1: {r.id} is {r.state}, but its history ends with {lines[-1].to}"
    for request in by_request:
        if request not in requests:
            yield f"1: history tells of {request}, which is not there"


def nothing_lost(now, before):
    """1: the set after a restart contains the committed set, and histories only grew."""
    requests, lines = now
    old_requests, old_lines = before
    for gone in old_requests.keys() - requests.keys():
        yield f"1: {gone} was there before and is lost"
    if lines[:len(old_lines)] != old_lines:
        yield "1: the history of before is not the beginning of the history of now"


def one_live(requests, lines):
    """2: at most one live request for a project/name at any time; one request for an episode."""
    episodes = collections.Counter((r.model, r.episode) for r in requests.values())
    for (model, episode), count in episodes.items():
        if count > 1:
            yield f"2: {model} has {count} requests for episode {episode}"
    live = collections.defaultdict(set)
    for line in lines:
        request = requests.get(line.request)
        if not request:
            continue
        alive = live[request.family]
        if line.to in LIVE:
            alive.add(line.request)
        else:
            alive.discard(line.request)
        if len(alive) > 1:
            yield f"2: at line {line.seq} {request.family} has {len(alive)} live requests"


def attempts_grow(requests, by_request, most):
    """4: attempts only grow, one at a time, and never past the maximum."""
    for request, lines in by_request.items():
        last = 1
        for line in lines:
            if line.attempt < last or line.attempt > last + 1:
                yield f"4: {request} goes from attempt {last} to {line.attempt} at line {line.seq}"
            last = line.attempt
        if request in requests and not last <= requests[request].attempt <= last + 1:
            yield f"4: {request} is at attempt {requests[request].attempt}, its history at {last}"
        if most and request in requests and requests[request].attempt > most:
            yield f"4: {request} is at attempt {requests[request].attempt} of {most}"


def one_strategy(by_request):
    """3: what was committed and sent as (id, n) is one strategy's, however often it is offered."""
    for request, lines in by_request.items():
        sent, offer = {}, None
        for line in lines:
            if line.source == "PENDING" and line.to == "OFFERED":
                offer = line.why
                if sent.get(line.attempt, offer) != offer:
                    yield f"3: attempt {line.attempt} of {request} was '{sent[line.attempt]}', and '{offer}' at line {line.seq}"
            elif line.source == "OFFERED" and line.to != "OFFERED" and (line.to, line.by) != ("PENDING", "dispatcher"):
                sent.setdefault(line.attempt, offer)  # else nobody took it


def table_holds(by_request):
    """5: a final state never changes; and every step stands in the table."""
    for request, lines in by_request.items():
        state = None
        for line in lines:
            if line.source != state:
                yield f"5: {request} was {state}, but line {line.seq} begins with {line.source}"
            if state in FINAL and line.to != state:
                yield f"5: {request} was {state} for good, and became {line.to} at line {line.seq}"
            elif state not in FINAL and line.to != state and line.to not in TABLE[state]:
                yield f"5: {request} went from {state} to {line.to} at line {line.seq}"
            state = line.to


def accepted_first(by_request):
    """6, 7: what a trainer ends, it has accepted; every DONE follows an accept, or a delivery without feedback."""
    for request, lines in by_request.items():
        holder = None
        for line in lines:
            trainer = line.by[len("trainer "):] if line.by.startswith("trainer ") else None
            if line.source in ("OFFERED", "PENDING") and line.to == "RUNNING":
                if trainer is None:
                    yield f"7: {request} began to run by {line.by} at line {line.seq}"
                holder = (trainer, line.attempt)
            elif line.source == "RUNNING" and line.to in ("PENDING", "DONE", "DEAD"):
                if trainer is not None and holder != (trainer, line.attempt):
                    yield f"6: {request} was ended by {trainer} at line {line.seq}, but {holder} held it"
                if trainer is None and line.to == "DONE":
                    yield f"7: {request} is DONE by {line.by} at line {line.seq}"
                holder = None
            elif line.to == "DONE" and line.source != "DONE" and not line.why.startswith("delivered"):
                yield f"7: {request} is DONE without an accept at line {line.seq}"


def read_logs(files):
    """The lines of the trainers' logs; one that was cut by a kill is left out."""
    lines = []
    for file in files:
        with open(file, encoding="utf-8") as log:
            for text in log:
                try:
                    lines.append(json.loads(text))
                except ValueError:
                    pass
    return sorted(lines, key=lambda line: line["t"])


CLOCK_S = 0.002  # the wall clock is read to a millisecond; all are on one machine


def sent_after_commit(requests, by_request, log):
    """3: every job that a trainer got stands in the history as an offer of that attempt, made before: one that was sent and
    then lost is made again after the restart, too late."""
    offered = {}
    for request, lines in by_request.items():
        for line in lines:
            if line.to == "OFFERED":
                offered.setdefault((request, line.attempt), line.at)
    for line in log:
        if "got" not in line:
            continue
        request, attempt = line["got"]["request"], line["got"]["attempt"]
        if request not in requests:
            yield f"3: {line['trainer']} got {request}, which the store does not know"
        elif (request, attempt) not in offered:
            yield f"3: {line['trainer']} got attempt {attempt} of {request}, which was never committed as offered"
        elif line["t"] < offered[request, attempt] - CLOCK_S:
            yield f"3: {line['trainer']} got attempt {attempt} of {request} before it was committed as offered"


STEPS = {"accept": lambda line: line.source in ("OFFERED", "PENDING") and line.to == "RUNNING",
         "done": lambda line: line.source == "RUNNING" and line.to == "DONE",
         "fail": lambda line: line.source == "RUNNING" and line.to in ("PENDING", "DEAD")}


def granted_after_commit(by_request, log):
    """7 and 6: what a trainer was granted stands in the history, as its own doing in that attempt."""
    for line in log:
        if "said" not in line or not line["reply"]["ok"]:
            continue
        said = line["said"]
        request, attempt, by = said["request"], said["attempt"], "trainer " + said["trainer"]
        say = said["say"]
        lines = [step for step in by_request.get(request, ()) if step.by == by and step.attempt == attempt]
        wanted = STEPS["accept" if say == "progress" else say]
        if not any(wanted(step) and step.at <= line["t"] + CLOCK_S for step in lines):
            yield (f"{6 if say == 'progress' else 7}: {said['trainer']} was granted {say} of attempt {attempt} of {request}, "
                   "of which the history knows nothing")


def up_between(begin, end, lives, slack_s):
    """Seconds in which the daemon was there and had had `slack_s` to start; without knowledge of its lives, all."""
    if not lives:
        return end - begin
    return sum(max(0, min(end, life["ended"]) - max(begin, life["began"] + slack_s)) for life in lives)


def leases_end(by_request, log, lives, lease_s, slack_s):
    """8: no request runs longer than its lease and one tick after it was last heard, or began anew by a restart. While the
    daemon is not there nobody can end it: that time does not count."""
    heard = collections.defaultdict(list)
    for line in log:
        if "said" in line and line["reply"]["ok"] and line["said"]["say"] in ("accept", "progress"):
            heard[line["said"]["request"], line["said"]["attempt"]].append(line["t"])
    last = max((line.at for lines in by_request.values() for line in lines), default=0)
    for request, lines in by_request.items():
        for line, after in zip(lines, lines[1:] + [None]):
            if line.to != "RUNNING":
                continue
            begin, end = line.at, after.at if after else last
            for at in sorted(heard[request, line.attempt]):
                if begin < at < end and at - begin <= lease_s + slack_s:
                    begin = at
            ran_s = up_between(begin, end, lives, slack_s)
            if ran_s > lease_s + slack_s:
                yield (f"8: {request} ran for {ran_s:.1f} s after it was last heard, from line {line.seq} on; "
                       f"its lease was {lease_s} s")


def read_events(file):
    with open(file, encoding="utf-8") as events:
        return [json.loads(text) for text in events]


def unknown_alarmed(log, events):
    """9: where a trainer was told `unknown_request`, an alarm was raised."""
    told = [line for line in log if "said" in line and line["reply"].get("error") == "unknown_request"]
    if told and not any(event["type"] == "driftd.alarm" and event["data"]["alarm"] == "feedback_unknown" for event in events):
        yield f"9: {len(told)} messages named unknown requests, and no alarm was raised"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--attempts", type=int, default=0, help="the most attempts that were ever allowed")
    parser.add_argument("--trainers", nargs="*", default=[], metavar="LOG", help="logs of trainer.py")
    parser.add_argument("--lease", type=float, default=0, help="jobs.lease, in seconds")
    parser.add_argument("--slack", type=float, default=1, help="a tick, and how long a start may take")
    parser.add_argument("--lives", help="when the daemon was there, an object with began and ended a line")
    parser.add_argument("--events", help="what an observer heard, a JSON event a line")
    parser.add_argument("store")
    parser.add_argument("earlier", nargs="?")
    options = parser.parse_args()
    now = read(options.store)
    requests, lines = now
    by_request = collections.defaultdict(list)
    for line in lines:
        by_request[line.request].append(line)
    violations = list(committed(requests, by_request))
    if options.earlier:
        violations += nothing_lost(now, read(options.earlier))
    violations += one_live(requests, lines)
    violations += attempts_grow(requests, by_request, options.attempts)
    violations += one_strategy(by_request)
    violations += table_holds(by_request)
    violations += accepted_first(by_request)
    log = read_logs(options.trainers)
    violations += sent_after_commit(requests, by_request, log)
    violations += granted_after_commit(by_request, log)
    if options.lease:
        violations += leases_end(by_request, log, read_events(options.lives) if options.lives else [], options.lease, options.slack)
    if options.events:
        violations += unknown_alarmed(log, read_events(options.events))
    for violation in violations:
        print(violation)
    print(f"{len(requests)} requests, {len(lines)} lines of history, {len(log)} lines of trainers, {len(violations)} violations")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
