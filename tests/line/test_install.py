"""make install and uninstall, into a DESTDIR: every file is whole and where others look for it, an edited configuration is
kept, and what was put there is taken away. Manual pages are free of warnings, completion completes, pkg-config finds the
library, and a program can be built with it."""
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest

import line

PLACES = {"/usr/local": ("/etc/systemd/system", "/usr/local/lib"), "/usr": ("/usr/lib/systemd/system", "/usr/lib"),
          "/opt/drift": ("/opt/drift/lib/systemd/system", "/opt/drift/lib")}
EMBEDDED = """
#include <drift.h>
#include <stdio.h>
int main(void)
{
    puts(drift_version());
    return 0;
}
"""


def make(target, folder, *settings):
    """Through the Makefile, as a person does; `all` is not made again: the tests have it, perhaps with other flags."""
    plain = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "prefix", "libdir")}
    command = ["make", "-s", "-o", "all", target, f"DESTDIR={folder}", f"BUILD={os.path.relpath(line.BUILD, line.ROOT)}", *settings]
    return subprocess.run(command, cwd=line.ROOT, env=plain, check=True, capture_output=True, text=True, timeout=60).stdout


def files(folder):
    return sorted(os.path.join(path, name)[len(folder):] for path, _, names in os.walk(folder) for name in names)


def text(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class Install(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="driftd-install-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.conf = self.folder + "/etc/driftd/driftd.yaml"

    def test_the_unit_speaks_of_files_that_are_there(self):
        for prefix, (units, _) in PLACES.items():
            with self.subTest(prefix):
                make("install", self.folder, f"prefix={prefix}")
                unit = text(f"{self.folder}{units}/driftd.service")
                for command in re.findall(r"^Exec\w+=(.*)", unit, re.M):
                    self.assertTrue(os.access(self.folder + command.split()[0], os.X_OK), command)
                    for argument in re.findall(r"(?<= )/\S+", command):
                        self.assertTrue(os.path.exists(self.folder + argument), argument)
                for document in re.findall(r"file:(\S+)", unit):
                    self.assertTrue(os.path.exists(self.folder + document), document)

    def test_nothing_is_left_to_be_filled_in(self):
        make("install", self.folder)
        catalog = "/usr/local/lib/systemd/catalog/driftd.catalog"  # its @NAMES@ are the journal's to fill in
        for path in files(self.folder):
            with open(self.folder + path, "rb") as file:
                content = file.read()
            if path != catalog and not content.startswith((b"\x7fELF", b"!<arch>")):  # what is compiled is no template
                self.assertEqual(re.findall(rb"@[a-z]+@", content), [], path)

    def test_uninstall_takes_away_what_install_put_there(self):
        for prefix in PLACES:
            with self.subTest(prefix):
                make("install", self.folder, f"prefix={prefix}")
                self.assertGreater(len(files(self.folder)), 20)
                make("uninstall", self.folder, f"prefix={prefix}")
                self.assertEqual(files(self.folder), [])

    def test_an_edited_configuration_is_kept(self):
        make("install", self.folder)
        with open(self.conf, "a", encoding="utf-8") as file:
            file.write("# mine\n")
        os.makedirs(self.folder + "/etc/driftd/conf.d", exist_ok=True)
        with open(self.folder + "/etc/driftd/conf.d/shop.yaml", "w", encoding="utf-8") as file:
            file.write("budgets: []\n")
        self.assertIn("kept /", make("install", self.folder).replace(self.folder, ""))
        self.assertTrue(text(self.conf).endswith("# mine\n"))
        self.assertIn("it was edited", make("uninstall", self.folder))
        self.assertEqual(files(self.folder), ["/etc/driftd/conf.d/shop.yaml", "/etc/driftd/driftd.yaml"])

    def test_what_others_put_beside_it_is_kept(self):
        make("install", self.folder)
        with open(self.folder + "/etc/driftd/curve.secret", "w", encoding="utf-8") as file:
            file.write("a key\n")
        make("uninstall", self.folder)
        self.assertEqual(files(self.folder), ["/etc/driftd/curve.secret"])

    def test_the_configuration_that_is_installed_is_good(self):
        make("install", self.folder)
        for path in [self.conf, *(f"{self.folder}/usr/local/share/doc/driftd/{name}.yaml" for name in ("cameras", "ranking", "shared-gpus"))]:
            done = subprocess.run([line.DRIFTD, "--config", path, "--check", "--no-env"], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_manual_pages_are_free_of_warnings(self):
        make("install", self.folder)
        pages = [path for path in files(self.folder) if "/man/" in path]
        self.assertEqual([os.path.basename(path) for path in pages], ["driftc.1", "driftd.yaml.5", "driftd.8"])
        plain = dict(os.environ, LC_ALL="C.UTF-8", MANWIDTH="80")
        for page in pages:
            done = subprocess.run(["man", "--warnings=w", "--local-file", self.folder + page], env=plain, capture_output=True, text=True,
                                  timeout=60)
            self.assertEqual((done.returncode, done.stderr), (0, ""), page)
            self.assertIn("EXAMPLES", done.stdout)

    def test_a_program_is_built_with_the_library(self):
        for prefix, (_, libdir) in PLACES.items():
            with self.subTest(prefix):
                make("install", self.folder, f"prefix={prefix}")
                self.build_with(prefix, libdir)

    def test_the_library_goes_where_libdir_says(self):
        make("install", self.folder, "prefix=/usr", "libdir=/usr/lib/x-linux")
        self.build_with("/usr", "/usr/lib/x-linux")
        make("uninstall", self.folder, "prefix=/usr", "libdir=/usr/lib/x-linux")
        self.assertEqual(files(self.folder), [])

    def build_with(self, prefix, libdir):
        if line.sanitized():
            self.skipTest("skipped: a library with a sanitizer asks for its runtime")
        source, program = self.folder + "/embedded.c", self.folder + "/embedded"
        with open(source, "w", encoding="utf-8") as file:
            file.write(EMBEDDED)
        plain = dict(os.environ, PKG_CONFIG_PATH=f"{self.folder}{libdir}/pkgconfig", PKG_CONFIG_SYSROOT_DIR=self.folder)
        plain["PKG_CONFIG_ALLOW_SYSTEM_CFLAGS"] = plain["PKG_CONFIG_ALLOW_SYSTEM_LIBS"] = "1"
        flags = shlex.split(subprocess.run(["pkg-config", "--cflags", "--libs", "libdrift"], env=plain, check=True, capture_output=True,
                                           text=True, timeout=60).stdout)
        self.assertIn(f"-L{self.folder}{libdir}", flags)
        self.assertIn(f"-I{self.folder}{prefix}/include", flags)
        subprocess.run(["cc", "-o", program, source, *flags], check=True, timeout=60)
        done = subprocess.run([program], env=dict(os.environ, LD_LIBRARY_PATH=self.folder + libdir), check=True, capture_output=True,
                              text=True, timeout=60)
        self.assertRegex(done.stdout, r"\A\d+\.\d+\.\d+\n\Z")
        os.remove(source)
        os.remove(program)


class Completion(unittest.TestCase):
    """The file as it is installed, in a bash of its own."""

    def complete(self, *words):
        script = """
            set -u
            . "$1"; shift
            complete -p driftc >/dev/null || exit 3
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
            _driftc
            printf '%s\\n' ${COMPREPLY[@]+"${COMPREPLY[@]}"}"""
        done = subprocess.run(["bash", "--norc", "-c", script, "bash", self.file, *words], capture_output=True, text=True, timeout=60,
                              env=dict(os.environ, PATH=f"{line.BUILD}:{os.environ['PATH']}", DRIFTC_SOCKET="ipc:///nowhere/control.sock"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout.split()

    def setUp(self):
        folder = tempfile.mkdtemp(prefix="driftd-install-")
        self.addCleanup(shutil.rmtree, folder)
        make("install", folder)
        self.file = folder + "/usr/local/share/bash-completion/completions/driftc"

    def test_it_completes(self):
        self.assertEqual(self.complete("driftc", "requ"), ["requests", "request", "requeue"])
        self.assertEqual(self.complete("driftc", "--so"), ["--socket"])
        self.assertEqual(self.complete("driftc", "--json", "log-level", "d"), ["debug"])
        self.assertIn("--label", " ".join(self.complete("driftc", "backtest", "--l")))
        self.assertEqual(self.complete("driftc", "help", "key"), ["keygen"])
        self.assertEqual(self.complete("driftc", "model", ""), [])  # no daemon, no models, no noise


if __name__ == "__main__":
    unittest.main()
