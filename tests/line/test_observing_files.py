"""The journal's catalog, the alert rules and the dashboard speak of what the sources have: no name in them is made up."""
import json
import os
import re
import subprocess
import unittest

import line


def read(path):
    with open(os.path.join(line.ROOT, path), encoding="utf-8") as file:
        return file.read()


def joined(text):
    """C source with adjacent string literals made one."""
    return re.sub(r'"\s*\n?\s*"', "", text)


def sources(folder):
    for path, _, names in os.walk(os.path.join(line.ROOT, folder)):
        for name in names:
            if name.endswith(".c"):
                yield os.path.relpath(os.path.join(path, name), line.ROOT)


class Catalog(unittest.TestCase):
    def test_ids_sentences_and_texts_belong_together(self):
        table = dict(re.findall(r'\{"([0-9a-f]{32})",\s*"(.*?)"\}', joined(read("daemon/base/log_catalog.c")), re.S))
        entries = dict(re.findall(r"^-- ([0-9a-f]{32})\n(.*?)(?=^-- |\Z)", read("systemd/driftd.catalog"), re.S | re.M))
        self.assertEqual(table.keys(), entries.keys())
        self.assertGreater(len(table), 10)
        code = "\n".join(joined(read(path)) for path in sources("daemon") if not path.endswith("log_catalog.c"))
        for identifier, sentence in table.items():
            self.assertIn(f'"{sentence}"', code)
            self.assertRegex(entries[identifier], r"\ASubject: .+\nDefined-By: driftd\n")
            for field in re.findall(r"@DRIFTD_([A-Z_]+)@", entries[identifier]):
                self.assertIn(f'("{field.lower()}"', code, sentence)


class Prometheus(unittest.TestCase):
    NAMES = re.compile(r"\bdriftd_[a-z_]+")

    def known(self):
        names = set()
        for kind, name in re.findall(r'(COUNTER|GAUGE), "(driftd_[a-z_]+)"', read("daemon/observe/exposition.c")):
            names.add(name + ("_total" if kind == "COUNTER" else ""))
        for name in re.findall(r'\{"(driftd_[a-z_]+)", "', read("daemon/observe/exposition.c")):
            names.add(name + "_total")
        return names

    def test_rules_name_what_there_is(self):
        used = set(self.NAMES.findall(read("conf/prometheus/driftd.rules.yml")))
        self.assertLessEqual(used, self.known())

    def test_the_dashboard_names_what_there_is(self):
        dashboard = json.loads(read("conf/grafana/driftd.json"))
        used = set()
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                used |= set(self.NAMES.findall(target["expr"]))
        self.assertGreater(len(used), 15)
        self.assertLessEqual(used, self.known())
        self.assertEqual(len({panel["id"] for panel in dashboard["panels"]}), len(dashboard["panels"]))

    @unittest.skipUnless(line.PROMTOOL, "there is no promtool; `make deps` gets it")
    def test_promtool_takes_the_rules(self):
        found = subprocess.run([line.PROMTOOL, "check", "rules", os.path.join(line.ROOT, "conf/prometheus/driftd.rules.yml")],
                               capture_output=True, text=True)
        self.assertEqual(found.returncode, 0, found.stderr)


if __name__ == "__main__":
    unittest.main()
