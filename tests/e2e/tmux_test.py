#!/usr/bin/env python3
"""A recorded session of both conversations in tmux, with the built-in models: what a person types, and what must then be
on the screen.

Usage: tmux_test.py PROGRAM
"""
import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

PROGRAM = sys.argv.pop(1)
QWEN, PHI = "qwen3.5:demo", "phi4-mini:demo"


# Not in a test's own folder, which is gone before its server is told to go: such a server would stay for ever.
SOCKETS = tempfile.TemporaryDirectory()


class Tmux:
    """A terminal of 100 x 40 in which the program runs."""

    begun = 0

    def __init__(self, folder, *arguments):
        # Each has a socket of its own: a server that was told to go still listens on its socket for a moment, and takes
        # with it a session that is begun there.
        Tmux.begun += 1
        self.socket = str(Path(SOCKETS.name) / f"tmux{Tmux.begun}")
        self.folder = folder
        quoted = " ".join("'" + argument + "'" for argument in (PROGRAM, *arguments))
        self.run("-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "40", quoted + "; echo left with $?; cat")
        self.run("set-option", "-g", "history-limit", "20000")

    def run(self, *command):
        environment = {**os.environ, "HOME": str(self.folder), "LC_ALL": "C.UTF-8", "TERM": "xterm-256color"}
        environment.pop("TMUX", None)
        return subprocess.run(["tmux", "-S", self.socket, *command], check=True, capture_output=True, text=True,
                              env=environment, timeout=30).stdout

    def text(self):
        return self.run("capture-pane", "-p", "-J", "-S", "-5000")

    def type(self, text):
        self.run("send-keys", "-l", text)

    def keys(self, *names):
        self.run("send-keys", *names)

    def say(self, text):
        self.type(text)
        self.keys("Enter")

    def wait_for(self, part, count=1, seconds=90):
        end = time.monotonic() + seconds
        while self.text().count(part) < count:
            if time.monotonic() > end:
                raise AssertionError(f"{part!r} is not {count} times in:\n{self.text()}")
            time.sleep(0.1)

    def prompt(self, number):
        """Waits for the number-th prompt sign, after which nothing else is written."""
        end = time.monotonic() + 90
        while True:
            lines = [line for line in self.text().splitlines() if line.startswith(">>>")]
            if len(lines) >= number and self.text().rstrip().splitlines()[-1].startswith(">>>"):
                return
            if time.monotonic() > end:
                raise AssertionError(f"prompt {number} does not come:\n{self.text()}")
            time.sleep(0.1)

    def close(self):
        subprocess.run(["tmux", "-S", self.socket, "kill-server"], capture_output=True, timeout=30)


def end_token(model=QWEN, text="<|im_end|>"):
    done = subprocess.run([PROGRAM, "tokenize", model, text, "--special"], check=True, capture_output=True)
    return json.loads(done.stdout)[0]


class Run(unittest.TestCase):
    def test_a_conversation(self):
        with tempfile.TemporaryDirectory() as folder:
            terminal = Tmux(folder, "run", QWEN, "--seed", "5", "--temperature", "1")
            self.addCleanup(terminal.close)
            terminal.prompt(1)
            terminal.say("What is 3 + 4?")
            terminal.wait_for("...done thinking.")
            terminal.wait_for("[thinking on]")
            terminal.prompt(2)
            terminal.say('"""What is')
            terminal.wait_for("\n... ")
            terminal.say('5 + 4? /no_think"""')
            terminal.wait_for("[thinking off]")
            terminal.prompt(3)
            saved = Path(folder) / "talk.json"
            terminal.say(f"/save {saved}")
            terminal.wait_for("4 messages are in")
            terminal.say("Hello")
            terminal.prompt(5)
            first = terminal.text().split(">>> Hello")[1].split("[thinking")[0]
            terminal.say("/regen")
            terminal.prompt(6)
            terminal.say(f"/load {saved}")
            terminal.wait_for("4 messages with qwen3.5:demo.")
            terminal.run("resize-window", "-x", "70", "-y", "30")
            terminal.say("Hello")
            terminal.prompt(8)
            again = terminal.text().split(">>> Hello")[2].split("[thinking")[0]
            self.assertEqual(again.split(), first.split())  # the same tokens, after /load and at another width
            terminal.say("/show memory")
            terminal.wait_for("snapshots")
            terminal.say("/bye")
            terminal.wait_for("left with 0")

    def test_ctrl_c_while_reading_and_while_answering(self):
        with tempfile.TemporaryDirectory() as folder:
            # The token that ends a turn is forbidden, so only Ctrl-C ends the answer.
            terminal = Tmux(folder, "run", QWEN, "--think=false", "--max-tokens", "0", "--logit-bias",
                            f"{end_token()}=-inf")
            self.addCleanup(terminal.close)
            terminal.prompt(1)
            terminal.say("Hello")
            time.sleep(1)
            terminal.keys("C-c")
            terminal.prompt(2)
            terminal.type("Copy this: " + "apple pear plum " * 150)
            terminal.keys("Enter")
            time.sleep(0.05)
            terminal.keys("C-c")
            terminal.prompt(3)
            terminal.say("/show messages")
            terminal.wait_for("1 user: Hello")
            terminal.keys("C-d")
            terminal.wait_for("left with 0")


class Compare(unittest.TestCase):
    def test_ctrl_c_while_reading_and_while_answering(self):
        with tempfile.TemporaryDirectory() as folder:
            # No token ends a turn, so only Ctrl-C ends the answers.
            forbidden = [option for model, text in ((QWEN, "<|im_end|>"), (PHI, "<|end|>"))
                         for option in ("--logit-bias", f"{end_token(model, text)}=-inf")]
            terminal = Tmux(folder, "compare", QWEN, PHI, "--think=false", "--max-tokens", "0", *forbidden)
            self.addCleanup(terminal.close)
            terminal.prompt(1)
            terminal.say("Hello")
            terminal.wait_for("phi4-mini:demo  answering")
            terminal.keys("C-c")
            terminal.wait_for("[interrupted]")
            terminal.prompt(2)
            terminal.type("Copy this: " + "apple pear plum " * 150)
            terminal.keys("Enter")
            time.sleep(0.05)
            terminal.keys("C-c")
            terminal.prompt(3)
            terminal.say("/show")
            terminal.wait_for("user: Hello", 2)
            terminal.keys("C-d")
            terminal.wait_for("left with 0")

    def test_a_conversation_with_votes(self):
        with tempfile.TemporaryDirectory() as folder:
            terminal = Tmux(folder, "compare", QWEN, PHI, "--temperature", "0")
            self.addCleanup(terminal.close)
            terminal.prompt(1)
            terminal.say("What is 3 + 4?")
            terminal.wait_for("b  phi4-mini:demo: ")
            terminal.prompt(2)
            terminal.say("/vote tie")
            terminal.wait_for("Votes: a qwen3.5:demo 0, b phi4-mini:demo 0, ties 1")
            # Too narrow for columns, then wide again.
            terminal.run("resize-window", "-x", "60", "-y", "40")
            terminal.say("Hello")
            terminal.wait_for("b  phi4-mini:demo: ", 2)
            terminal.prompt(4)
            self.assertIn("== phi4-mini:demo ==", terminal.text())
            terminal.run("resize-window", "-x", "120", "-y", "40")
            terminal.say("Bye")
            terminal.wait_for("b  phi4-mini:demo: ", 3)
            terminal.prompt(5)
            terminal.say("/vote b")
            terminal.wait_for("b phi4-mini:demo 1, ties 1")
            terminal.say("/show")
            terminal.wait_for("user: Hello", 2)
            terminal.keys("C-d")
            terminal.wait_for("left with 0")


class ChangedFile(unittest.TestCase):
    def test_a_model_that_is_cut_is_named_in_both_conversations(self):
        with tempfile.TemporaryDirectory() as folder:
            source = Path(__file__).resolve().parents[2] / "assets/demo/phi4-mini-demo.gguf"
            path = Path(folder) / "model.gguf"
            for arguments in (("run", str(path)), ("compare", str(path), PHI)):
                path.write_bytes(source.read_bytes())
                terminal = Tmux(folder, *arguments)
                self.addCleanup(terminal.close)
                terminal.prompt(1)
                terminal.say("Hello")
                terminal.prompt(2)
                os.truncate(path, 4096)
                terminal.say("Bye")
                # By the check before the turn, or by the handler when the file is being read.
                terminal.wait_for("while it was in use")
                terminal.close()


if __name__ == "__main__":
    unittest.main()
