#!/usr/bin/env python3
"""The checker of stores finds what is wrong with one: each invariant is broken once, on purpose."""
import os
import sqlite3
import subprocess
import sys
import tempfile
import unittest

CHECKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "invariants.py")
GOOD = [  # request, attempt, from, to, by, why
    ("a", 1, None, "PENDING", "monitor", "drift"),
    ("a", 1, "PENDING", "OFFERED", "dispatcher", "attempt 1"),
    ("a", 1, "OFFERED", "RUNNING", "trainer t1", "attempt 1"),
    ("a", 1, "RUNNING", "PENDING", "timer", "lease"),
    ("a", 2, "PENDING", "OFFERED", "dispatcher", "attempt 2"),
    ("a", 2, "OFFERED", "RUNNING", "trainer t2", "attempt 2"),
    ("a", 2, "RUNNING", "DONE", "trainer t2", "trained"),
    ("b", 1, None, "PENDING", "monitor", "drift"),
]
REQUESTS = [  # id, model, family, episode, state, attempt, taken
    ["a", "p/n/v1", "p/n", 1, "DONE", 2, 1],
    ["b", "p/n/v1", "p/n", 2, "PENDING", 1, 0],
]


class Invariants(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def store(self, name, requests, lines):
        path = os.path.join(self.folder.name, name)
        if os.path.exists(path):
            os.unlink(path)
        db = sqlite3.connect(path)
        db.execute("CREATE TABLE requests (number INTEGER PRIMARY KEY, id, model, family, episode, state, attempt, taken)")
        db.execute('CREATE TABLE history (seq INTEGER PRIMARY KEY, request, attempt, at, "from", "to", "by", why)')
        db.executemany("INSERT INTO requests (id, model, family, episode, state, attempt, taken) VALUES (?,?,?,?,?,?,?)",
                       requests)
        db.executemany('INSERT INTO history (request, attempt, at, "from", "to", "by", why) VALUES'
                       " (coalesce((SELECT number FROM requests WHERE id = ?1),?1),?2,0,?3,?4,?5,?6)", lines)
        db.commit()
        db.close()
        return path

    def check(self, requests, lines, *more):
        store = self.store("requests.db", requests, lines)
        done = subprocess.run([sys.executable, CHECKER, "--attempts", "3", store, *more], capture_output=True, text=True,
                              check=False)
        return done.returncode, done.stdout

    def broken(self, invariant, requests=None, lines=None, *more):
        code, output = self.check(requests or REQUESTS, lines or GOOD, *more)
        self.assertEqual(code, 1, output)
        self.assertTrue(any(line.startswith(f"{invariant}: ") for line in output.splitlines()), output)

    @staticmethod
    def changed(rows, index, **members):
        names = ["request", "attempt", "source", "to", "by", "why"] if isinstance(rows[0], tuple) else \
                ["id", "model", "family", "episode", "state", "attempt", "taken"]
        row = list(rows[index])
        for name, value in members.items():
            row[names.index(name)] = value
        return [type(rows[0])(row) if i == index else r for i, r in enumerate(rows)]

    def test_a_good_store_has_no_violation(self):
        code, output = self.check(REQUESTS, GOOD)
        self.assertEqual((code, output), (0, "2 requests, 8 lines of history, 0 lines of trainers, 0 violations\n"))

    def test_1_state_and_history_agree(self):
        self.broken(1, requests=self.changed(REQUESTS, 1, state="RUNNING"))
        self.broken(1, requests=self.changed(REQUESTS, 1, state="LOST"))
        self.broken(1, lines=GOOD[:-1])
        self.broken(1, requests=REQUESTS[:1])

    def test_1_nothing_is_lost(self):
        earlier = self.store("earlier.db", REQUESTS, GOOD)
        self.broken(1, REQUESTS[:1], GOOD[:-1], earlier)
        self.broken(1, REQUESTS, self.changed(GOOD, 3, why="another reason"), earlier)
        self.assertEqual(self.check(REQUESTS, GOOD + [("b", 1, "PENDING", "PENDING", "monitor", "again")], earlier)[0], 0)

    def test_2_one_live_request(self):
        self.broken(2, lines=[GOOD[-1]] + GOOD[:-1])
        self.broken(2, requests=self.changed(REQUESTS, 1, episode=1))

    def test_3_an_attempt_keeps_its_strategy(self):
        again = [("b", 1, "PENDING", "OFFERED", "dispatcher", "attempt 1, pbt"), ("b", 1, "OFFERED", "PENDING", "timer", "nobody")]
        self.assertEqual(self.check(REQUESTS, GOOD + again + again)[0], 0)
        self.broken(3, lines=GOOD + again + [again[0][:5] + ("attempt 1, grid_search",), again[1]])

    def test_4_attempts_grow(self):
        self.broken(4, lines=self.changed(GOOD, 4, attempt=3))
        self.broken(4, lines=self.changed(GOOD, 6, attempt=1))
        self.broken(4, requests=self.changed(REQUESTS, 1, attempt=4))

    def test_5_final_is_final(self):
        self.broken(5, requests=self.changed(REQUESTS, 0, state="PENDING"),
                    lines=GOOD + [("a", 2, "DONE", "PENDING", "operator", "again")])
        self.broken(5, lines=self.changed(GOOD, 1, to="RUNNING", by="dispatcher"))

    def test_6_only_the_holder_ends_an_attempt(self):
        self.broken(6, lines=self.changed(GOOD, 6, by="trainer t1"))

    def test_7_every_done_follows_an_accept(self):
        self.broken(7, lines=self.changed(GOOD, 6, by="timer"))
        self.broken(7, lines=self.changed(GOOD, 5, by="dispatcher"))
        self.broken(7, lines=GOOD[:5] + [("a", 2, "OFFERED", "DONE", "trainer t2", "trained"), GOOD[7]])
        code, output = self.check(REQUESTS, GOOD[:5] + [("a", 2, "OFFERED", "DONE", "dispatcher", "delivered: handed"),
                                                        GOOD[7]])
        self.assertEqual(code, 0, output)


if __name__ == "__main__":
    unittest.main()
