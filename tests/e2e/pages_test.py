#!/usr/bin/env python3
"""Manual pages and completion: made from the parser's own tree, understood by those who read them, installed.

usage: pages_test.py PATH/TO/tandem BUILD_DIR
"""
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

TANDEM, BUILD = (os.path.abspath(sys.argv.pop(1)) for _ in range(2))


def run(*args, **more):
    return subprocess.run(args, capture_output=True, timeout=300, stdin=subprocess.DEVNULL, **more)


def output(*args):
    done = run(TANDEM, *args)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def commands():
    text = output("--help")
    return re.findall(r"^  ([a-z0-9-]+) ", text[text.index("Commands:"):text.index("Examples:")], re.M)


def options(command):
    return set(re.findall(r"^\s+(?:-\w,\s?)?(--[a-z0-9-]+)", output(command, "--help"), re.M))


class Made(unittest.TestCase):
    """Everything written into a folder."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        output("pages", "all", str(cls.folder))
        cls.environment = {**os.environ, "PATH": f"{Path(TANDEM).parent}:{os.environ['PATH']}", "HOME": folder.name,
                           "XDG_CONFIG_HOME": folder.name, "XDG_DATA_HOME": folder.name}


class Pages(Made):
    def render(self, page):
        text = run("mandoc", "-Tascii", str(page)).stdout.decode()
        return re.sub(".\b", "", text)

    def test_every_command_has_a_page_with_every_option(self):
        self.assertGreater(len(commands()), 15)
        for command in commands():
            text = self.render(self.folder / f"man1/tandem-{command}.1")
            self.assertIn(f"tandem-{command}", text)
            for option in options(command):
                self.assertIn(option, text, command)
            self.assertIn(f"tandem-{command}(1)", self.render(self.folder / "man1/tandem.1"))
        self.assertEqual(output("pages", "man", "run"), (self.folder / "man1/tandem-run.1").read_text())

    @unittest.skipIf(shutil.which("mandoc") is None, "mandoc is not installed")
    def test_pages_are_sound(self):
        pages = sorted(self.folder.glob("man1/*.1"))
        self.assertEqual(len(pages), len(commands()) + 1)
        for page in pages:
            done = run("mandoc", "-Tlint", "-Wstyle", str(page))
            self.assertEqual(done.stdout.decode(), "", page.name)

    @unittest.skipIf(shutil.which("man") is None, "man is not installed")
    def test_man_shows_them(self):
        done = run("man", "-l", str(self.folder / "man1/tandem-run.1"), env={**self.environment, "MANPAGER": "cat"})
        self.assertEqual(done.returncode, 0, done.stderr)
        if b"minimized" not in done.stdout:  # Debian's images for containers have a man that shows nothing
            self.assertIn(b"tandem run", done.stdout)

    def test_the_date_can_be_told(self):
        done = run(TANDEM, "pages", "man", env={**self.environment, "SOURCE_DATE_EPOCH": "86400"})
        self.assertTrue(done.stdout.startswith(b".TH TANDEM 1 1970-01-02 "), done.stdout[:60])

    def test_hidden_and_particular(self):
        self.assertNotIn("pages", commands())
        for args, code in ((["pages"], 2), (["pages", "csh"], 2), (["pages", "all"], 2), (["pages", "man", "nothing"], 1),
                           (["pages", "all", "/dev/null/x"], 1)):
            done = run(TANDEM, *args)
            self.assertEqual(done.returncode, code, args)
            self.assertTrue(done.stderr.startswith(b"Error: "), done.stderr)

    def test_installed(self):
        prefix = self.folder / "prefix"
        done = run("cmake", "--install", BUILD, "--prefix", str(prefix))
        self.assertEqual(done.returncode, 0, done.stderr)
        for path in ("bin/tandem", "share/man/man1/tandem.1", "share/man/man1/tandem-compare.1",
                     "share/bash-completion/completions/tandem", "share/zsh/site-functions/_tandem",
                     "share/fish/vendor_completions.d/tandem.fish"):
            self.assertTrue((prefix / path).stat().st_size, path)


class Completion(Made):
    def bash(self, line, setup=""):
        """What TAB proposes at the end of `line`."""
        script = f"""{setup}
            source '{self.folder}/bash/tandem'
            COMP_LINE=$1 COMP_POINT=${{#1}} COMP_TYPE=9
            _tandem
            printf '%s\\n' "${{COMPREPLY[@]}}" """
        done = run("bash", "--norc", "-c", script, "bash", line, env=self.environment, cwd=self.folder)
        return [word for word in done.stdout.decode().split("\n") if word]

    def test_bash_completes_commands_and_flags(self):
        self.assertEqual(self.bash("tandem comp"), ["compare"])
        self.assertEqual(set(self.bash("tandem ")), {*commands(), "ls", "--help", "--version"})
        self.assertEqual(self.bash("tandem run --max"), ["--max-tokens"])
        for command in commands():
            self.assertLessEqual(options(command) - {"--help"}, set(self.bash(f"tandem {command} --")))

    def test_bash_completes_values(self):
        self.assertEqual(self.bash("tandem run --kv q"), ["q8_0", "q4_0"])
        self.assertEqual(self.bash("tandem run --kv=q"), ["q8_0", "q4_0"])
        self.assertEqual(self.bash("tandem fit --kv b"), ["bf16"])
        self.assertEqual(self.bash("tandem run --think=f"), ["false"])
        self.assertEqual(self.bash("tandem run --ctx "), [])

    def test_bash_completes_models(self):
        self.assertIn("phi4-mini:demo", self.bash("tandem run phi", "COMP_WORDBREAKS=' '"))
        # Bash itself has cut the word at the colon.
        self.assertEqual(self.bash("tandem run phi4-mini:d", "COMP_WORDBREAKS=' :='"), ["demo"])
        self.assertIn("qwen3.5:4b", self.bash("tandem pull qw", "COMP_WORDBREAKS=' '"))
        (self.folder / "mine.gguf").touch()
        self.assertEqual(self.bash("tandem show mi"), ["mine.gguf"])

    def test_bash_by_the_key(self):
        """The script as an interactive shell uses it."""
        self.assertIn("tandem compare", self.type_into(
            ["bash", "--norc", "--noprofile", "-i"], f"source '{self.folder}/bash/tandem'\n", "tandem compa\t", "tandem compare"))

    def type_into(self, shell, setup, keys, wanted):
        """Types into a shell on a terminal until `wanted` is shown."""
        pid, fd = pty.fork()
        if pid == 0:
            os.chdir(self.folder)
            try:
                os.execvpe(shell[0], shell, {**self.environment, "TERM": "xterm", "PS1": "READY> "})
            finally:
                os._exit(127)  # else a second copy of the tests goes on
        os.write(fd, setup.encode() + b"echo SET''UP\n")
        screen, typed, deadline = "", False, time.monotonic() + 60
        while wanted not in screen[screen.find("SETUP"):] and time.monotonic() < deadline:
            if select.select([fd], [], [], 1)[0]:
                screen += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", os.read(fd, 65536).decode(errors="replace"))
            # Not before the prompt: a shell drops what was typed while it takes over the terminal.
            if not typed and "SETUP" in screen and "READY>" in screen[screen.find("SETUP"):]:
                typed = True
                os.write(fd, keys.encode())
        os.close(fd)
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        return screen[screen.find("SETUP"):]

    @unittest.skipIf(shutil.which("zsh") is None, "zsh is not installed")
    def test_zsh(self):
        self.assertEqual(run("zsh", "-n", str(self.folder / "zsh/_tandem")).stderr, b"")
        setup = f"fpath=('{self.folder}/zsh' $fpath); autoload -U compinit; compinit -u -D\n"
        for keys, wanted in (("tandem compa\t", "tandem compare"), ("tandem run --max-t\t", "--max-tokens"),
                             ("tandem run --kv=q8\t", "--kv=q8_0")):
            self.assertIn(wanted, self.type_into(["zsh", "-f", "-i"], setup, keys, wanted))

    @unittest.skipIf(shutil.which("fish") is None, "fish is not installed")
    def test_fish(self):
        script = str(self.folder / "fish/tandem.fish")
        self.assertEqual(run("fish", "-n", script).stderr, b"")
        for line, wanted in (("tandem compa", "compare"), ("tandem run --max-t", "--max-tokens"),
                             ("tandem fit --kv q", "q8_0"), ("tandem show phi4-mini:d", "phi4-mini:demo")):
            done = run("fish", "--no-config", "-c", f"source '{script}'; complete -C '{line}'", env=self.environment)
            self.assertIn(wanted, [word.split("\t")[0] for word in done.stdout.decode().splitlines()], done.stderr)


if __name__ == "__main__":
    unittest.main()
