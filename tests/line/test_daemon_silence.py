"""Silence: models are judged and shown, not triggered; it lasts through a restart, and ends by time or by hand."""
import json
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import line  # noqa: E402
from test_daemon_feedback import Trainer  # noqa: E402

DRIFTC = os.path.join(line.BUILD, "driftc")
MODEL = "shop/detector/v1"


class Silence(unittest.TestCase):
    def send(self, node, daemon, count, accuracy=0.5, model=MODEL):
        before = daemon.ask("status")["events"]
        for _ in range(count):
            node.send_multipart([b"metrics/" + model.encode(), line.event(accuracy=accuracy)])
        daemon.wait_status(lambda status: status.get("events", 0) >= before + count)

    def model(self, daemon, model=MODEL):
        return daemon.ask("model", model=model)

    def requests(self, daemon):
        return daemon.ask("requests")["requests"]

    def test_judged_and_shown_but_not_triggered(self):
        with line.Daemon(backoff="1h") as daemon:
            node = daemon.publisher()
            self.send(node, daemon, 1, 0.9)
            answer = daemon.ask("silence", pattern="shop/*", for_s=3600, reason="cameras are moved")
            self.assertTrue(answer["ok"], answer)
            self.assertEqual(answer["pattern"], "shop/*")
            self.send(node, daemon, 8)
            shown = self.model(daemon)
            self.assertEqual(shown["state"], "silenced")
            self.assertGreaterEqual(shown["failures"], 3)
            self.assertGreater(shown["silenced_left_s"], 3000)
            self.assertEqual(shown["episode"], 0)
            self.assertTrue(shown["kpis"][0]["violated"])
            self.assertEqual(self.requests(daemon), [])
            # Another project is not covered.
            self.send(node, daemon, 4, model="other/m/v1")
            daemon.wait_status(lambda status: status["requests"]["PENDING"] == 1)
            self.assertEqual(daemon.ask("status")["silences"],
                             [{"pattern": "shop/*", "until": answer["until"], "reason": "cameras are moved"}])
            # A model first heard of during the silence is covered from its first event on.
            self.send(node, daemon, 5, model="shop/new/v1")
            self.assertEqual(self.model(daemon, "shop/new/v1")["state"], "silenced")
            self.assertEqual(len(self.requests(daemon)), 1)
            # By hand a request is made all the same.
            self.assertTrue(daemon.ask("retrain", model="shop/new/v1")["ok"])
            # It ends: the first evaluation that still fails triggers at once.
            self.assertEqual(daemon.ask("unsilence", pattern="shop/*"), {"ok": True, "ended": 1})
            self.assertEqual(daemon.ask("status")["silences"], [])
            self.send(node, daemon, 1)
            daemon.wait_status(lambda status: status["requests"]["PENDING"] == 3)
            made = [request for request in self.requests(daemon) if request["model"] == MODEL]
            self.assertEqual(len(made), 1)
            self.assertGreaterEqual(made[0]["trigger"]["failures"], 9)

    def test_lasts_through_a_kill_and_ends_by_itself(self):
        with line.Daemon(backoff="1h") as daemon:
            self.assertTrue(daemon.ask("silence", pattern=MODEL, for_s=7200)["ok"])
            self.assertTrue(daemon.ask("silence", pattern="shop/detector", for_s=0.001)["ok"])
            daemon.kill()
            daemon.start()
            node = daemon.publisher()
            self.send(node, daemon, 6)
            self.assertEqual(self.model(daemon)["state"], "silenced")
            self.assertEqual(self.requests(daemon), [])
            # The same pattern again: the new time counts.
            self.assertTrue(daemon.ask("silence", pattern=MODEL, for_s=0.001)["ok"])
            daemon.wait_status(lambda status: not status["silences"])
            self.send(node, daemon, 1)
            daemon.wait_status(lambda status: status["requests"]["PENDING"] == 1)

    def test_a_version_that_its_retraining_replaced_is_not_missed(self):
        """It says nothing any more, which is meant: it does not count as stale. Others do, and so does it once it was put back."""
        budgets = "budgets: [{models: '*', window: 1, min_events: 1, consecutive_failures: 1, backoff: 1h, stale_after: 300ms, kpis: {accuracy: {min: 0.8}}}]"
        with line.Daemon(budgets=budgets) as daemon:
            node, trainer = daemon.publisher(), Trainer(daemon, "t")
            self.send(node, daemon, 1, 0.5)
            job = trainer.pull()
            self.assertTrue(trainer.say("accept", job)["ok"])
            self.assertTrue(trainer.say("done", job, version="v2")["ok"])
            self.send(node, daemon, 1, 0.9, "shop/other/v1")
            daemon.wait_status(lambda status: status["models"] == {"stale": 2})
            daemon.wait_log(lambda said: said["msg"].startswith("models have fallen silent"))
            self.send(node, daemon, 1, 0.9, "shop/detector/v2")
            daemon.wait_status(lambda status: status["models"].get("silenced") == 1)
            self.assertEqual(self.model(daemon)["state"], "silenced")
            self.assertEqual(daemon.stop(), 0)
            daemon.start()
            daemon.wait_status(lambda status: status["models"] == {"silenced": 1, "stale": 2})
            node.close()
            node = daemon.publisher()
            self.send(node, daemon, 1, 0.5)
            daemon.wait_status(lambda status: status["models"] == {"stale": 3})

    def test_refusals_are_clear(self):
        with line.Daemon() as daemon:
            for wrong in ({"pattern": MODEL}, {"for_s": 3}, {"pattern": "", "for_s": 3}, {"pattern": "a//b", "for_s": 3},
                          {"pattern": MODEL, "for_s": 0}, {"pattern": MODEL, "for_s": -1}, {"pattern": 3, "for_s": 3},
                          {"pattern": MODEL, "for_s": "2h"}, {"pattern": MODEL, "for_s": 1e300}):
                answer = daemon.ask("silence", **wrong)
                self.assertEqual((answer["ok"], answer["error"]), (False, "bad_message"), wrong)
            answer = daemon.ask("unsilence", pattern="no/such")
            self.assertEqual((answer["ok"], answer["error"]), (False, "unknown_silence"))
            self.assertEqual(daemon.ask("unsilence"), {"ok": True, "ended": 0})

    def test_by_command(self):
        def driftc(*words):
            return subprocess.run([DRIFTC, "--socket", daemon.endpoints["control"], *words], capture_output=True, text=True,
                                  check=False)

        with line.Daemon() as daemon:
            done = driftc("silence", "shop/*", "--for", "2h", "--reason", "moved")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("Silenced shop/* until ", done.stdout)
            self.assertIn("Silenced  shop/* until ", driftc("status").stdout)
            self.assertEqual(json.loads(driftc("--json", "unsilence").stdout), {"ok": True, "ended": 1})
            self.assertEqual(driftc("silence", "shop/*").returncode, 64)
            self.assertEqual(driftc("silence", "shop//x", "--for", "1h").returncode, 64)
            self.assertNotEqual(driftc("unsilence", "shop/*").returncode, 0)


if __name__ == "__main__":
    unittest.main()
