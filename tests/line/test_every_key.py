"""Every key of the configuration has something that shows that it acts; a key without it fails here."""
import unittest

import effects
import effects_budgets  # noqa: F401
import effects_daemon

MAPS = ("map", "list")


class EveryKey(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        effects_daemon.begin_keep(cls)

    def test_each_documented_key_is_shown(self):
        """A map acts through the keys within it."""
        keys = effects.documented_keys()
        self.assertGreater(len(keys), 70)
        within = [key for key, kind in keys if kind not in MAPS or key in effects.SHOWN]
        for key, kind in keys:
            if key not in effects.SHOWN:
                self.assertIn(kind, MAPS, f"{key} has no entry that shows that it acts: add one to effects_*.py")
                self.assertTrue([k for k in within if k.startswith(key)], key)
        self.assertEqual(set(effects.SHOWN) - {key for key, _ in keys}, set(), "no such keys")


def name_of(key):
    return "test_" + "".join(c if c.isalnum() else "_" for c in key)


for shown, effect in effects.SHOWN.items():
    setattr(EveryKey, name_of(shown), lambda self, effect=effect: effect(self))

if __name__ == "__main__":
    unittest.main()
