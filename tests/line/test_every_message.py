"""Every sentence about a mistake of the configuration is shown with a mistake that causes it, as a person would meet it.

The sentences are taken out of the sources: one that no mistake causes here fails the test.
"""
import os
import shutil
import subprocess
import tempfile
import unittest

import line
import messages
import mistakes

# What nobody can cause from outside, and why.
NOT_SHOWN = {
    "security.overlap does not reach the endpoints of projects: these have server_key alone, and whoever is limited to projects is "
    "out from the change of server_key until it has the new one": "no mistake: a note, which test_daemon_projects looks for",
    "not enough memory": "no allocation fails here; check_config_memory makes them fail",
    "cannot be read: memory is short": "the same",
    "rate of false alarms": "the name of a type, in the documentation",
    "this cannot be read": "libyaml always says what is wrong",
    # What libyaml says, for which the tables have sentences of their own.
    "mapping values are not allowed in this context": "libyaml", "found character that cannot start any token": "libyaml",
    "did not find expected key": "libyaml", "did not find expected '-' indicator": "libyaml",
    "did not find expected ',' or ']'": "libyaml", "did not find expected ',' or '}'": "libyaml",
    "did not find expected node content": "libyaml", "could not find expected ':'": "libyaml",
    "did not find expected <document start>": "libyaml", "did not find expected comment or line break": "libyaml",
    "found unknown escape character": "libyaml", "found incompatible YAML document": "libyaml",
    "while scanning a quoted scalar": "libyaml", "while scanning a simple key": "libyaml",
    "while parsing a flow": "libyaml", "found unexpected end of stream": "libyaml",
}


class Configuration(unittest.TestCase):
    said = []  # all that was said, over all tests

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name, text=None):
        path = os.path.join(self.folder, name)
        if text is not None:
            with open(path, "wb") as file:
                file.write(text if isinstance(text, bytes) else text.encode())
        return path

    def check(self, *arguments, environment=None, status=78):
        """What driftd --check says, without the path of the folder."""
        done = subprocess.run([line.DRIFTD, "--check", *arguments], capture_output=True, timeout=line.PATIENCE_S,
                              env={b"PATH": b"/usr/bin", **(environment or mistakes.ENVIRONMENT)})
        self.assertEqual(done.returncode, status)
        told = [text.replace(self.folder + "/", "") for text in done.stderr.decode().splitlines()]
        self.said.extend(told)
        return told

    def test_documents(self):
        for document, sentence in mistakes.DOCUMENTS:
            with self.subTest(document[:200]):
                path = self.path("FILE", document)
                self.assertIn("FILE:" + sentence, self.check("--config", path))

    def test_notes(self):
        for document, sentence in mistakes.NOTES:
            with self.subTest(document):
                self.assertEqual(["note: FILE:" + sentence], self.check("--config", self.path("FILE", document), status=0))

    def test_general_notes(self):
        for document, sentence in mistakes.GENERAL_NOTES:
            with self.subTest(document):
                self.assertEqual(["note: " + sentence], self.check("--config", self.path("FILE", document), status=0))

    def test_clients(self):
        main = self.path("FILE", "security: {curve: on, server_key: %s, clients: %s}\n" % (self.path("key"), self.path("CLIENTS")))
        for document, sentence in mistakes.CLIENTS:
            with self.subTest(document):
                self.path("CLIENTS", document)
                self.assertIn("CLIENTS:" + sentence, self.check("--config", main))
        os.unlink(self.path("CLIENTS"))
        os.mkdir(self.path("CLIENTS"))
        self.assertIn("is no regular file; allowed: one that is", "".join(self.check("--config", main)))

    def test_keys(self):
        """Who may read the server's key, and whose it is, matters as much as what it holds."""
        key, clients = self.path("key"), self.path("CLIENTS")
        main = self.path("FILE", "security: {curve: on, server_key: %s, clients: %s}\n" % (key, clients))
        told = self.check("--config", main)
        self.assertIn("there is no such file; `driftc keygen server --server --file` with this path makes one", told[0])
        self.assertIn("there is no such file; it lists who may speak", told[1])
        for path, mode, text, sentence in ((key, 0o644, "", "others may read or change it; allowed: mode 0600 (chmod 600)"),
                                           (key, 0o600, "secret\n", "holds no secret key of CURVE; allowed: what `driftc"),
                                           (clients, 0o666, "", "others may change it, and with it who may speak; allowed")):
            with open(path, "w") as file:
                file.write(text)
            os.chmod(path, mode)
            self.assertTrue([told for told in self.check("--config", main) if sentence in told], sentence)
        os.chmod(clients, 0o644)
        handed = {b"CREDENTIALS_DIRECTORY": self.folder.encode()}
        self.assertIn("the service manager handed over no secret key; allowed: what `driftc keygen server --server",
                      "".join(self.check("--config", main, environment=handed)))

    @unittest.skipIf(os.geteuid() != 0, "only root can give a file away")
    def test_a_key_of_somebody_else(self):
        key = self.path("key", "")
        os.chown(key, 65534, 65534)
        main = self.path("FILE", "security: {curve: on, server_key: %s, clients: %s}\n" % (key, self.path("CLIENTS", "")))
        self.assertIn("belongs to somebody else; allowed: a file of this user or of root", "".join(self.check("--config", main)))

    def test_files_and_folders(self):
        empty, missing = self.path("FILE", ""), self.path("MISSING")
        self.assertEqual(self.check("--config", missing), ["MISSING: there is no such file; an empty one is a valid configuration"])
        self.assertEqual(self.check("--config", empty, "--conf-dir", missing), ["MISSING: there is no such folder; an empty one is good"])
        self.assertEqual(self.check("--config", self.folder), [self.folder + ": cannot be read: Is a directory"])
        with open(self.path("LARGE"), "wb") as file:
            file.truncate(17 << 20)
        self.assertEqual(self.check("--config", self.path("LARGE")), ["LARGE: larger than 16 MiB; allowed: a smaller one"])
        os.mkfifo(self.path("PIPE"))
        self.assertEqual(self.check("--config", self.path("PIPE")), ["PIPE: a pipe, which a reload could not read again; allowed: a file"])
        os.mkdir(self.path("conf.d"))
        self.path("FILE", "workers: 2\n")
        self.path("conf.d/a.yaml", "workers: 3\n")
        self.assertEqual(self.check("--config", empty, "--conf-dir", self.path("conf.d")),
                         ["conf.d/a.yaml:1:1: workers: given in FILE:1 too; only budgets may stand in more than one file: "
                          "keep it in one of them"])
        for i in range(1000):
            self.path(f"conf.d/{i}.yaml", "")
        self.assertEqual(self.check("--config", empty, "--conf-dir", self.path("conf.d")),
                         ["conf.d: more than 1000 files; allowed: up to that many"])

    @unittest.skipIf(os.geteuid() != 0, "only root can be somebody else")
    def test_run_by_hand(self):
        """Who is not root has folders of his own, and a path that no socket can have is told."""
        os.chmod(self.folder, 0o755)
        os.chmod(self.path("FILE", ""), 0o644)
        driftd = shutil.copy(line.DRIFTD, self.path("driftd"))  # the folder it was built in may be closed to others
        done = subprocess.run([driftd, "--check", "--config", self.path("FILE")], capture_output=True, text=True, user=65534,
                              env={"XDG_RUNTIME_DIR": "/" + "r" * 200})
        self.assertIn("the path in XDG_RUNTIME_DIR is too long for a socket; set control.bind", done.stderr)
        self.said.append(done.stderr)

    def test_z_every_sentence_was_said(self):
        """Last, since it looks at what the others caused."""
        said = "\n".join(self.said)
        missing = []
        for sentence, path in messages.sentences("lib/config/*.c", "daemon/security/key_file.c").items():
            if sentence not in NOT_SHOWN and not messages.pattern_of(sentence).search(said):
                missing.append(f"{path}: {sentence}")
        self.assertEqual(missing, [], "no mistake here causes these sentences of the sources")


if __name__ == "__main__":
    unittest.main()
