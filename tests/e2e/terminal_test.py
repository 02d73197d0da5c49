#!/usr/bin/env python3
"""Runs the program on a pseudo terminal and looks at the screen as a person would.

Usage: terminal_test.py PROGRAM, a build over made-up answers (src/cli/fake_api_for_test.cc).
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import tempfile
import termios
import time
import unicodedata
import unittest

PROGRAM = ""
QWEN = "qwen3.5:demo"
PHI = "phi4-mini:demo"
TOKEN = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])|([\s\S])")


class Screen:
    """The few terminal functions that the program may use; anything else is an error."""

    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.lines = [""]
        self.row = self.column = 0
        self.cursor_shown = True
        self.pending = ""

    def feed(self, text):
        text = self.pending + text
        cut = text.rfind("\x1b")
        self.pending = ""
        if cut >= 0 and TOKEN.fullmatch(text[cut:]) is None and not re.match(r"\x1b\[[?0-9;]*[A-Za-z]", text[cut:]):
            text, self.pending = text[:cut], text[cut:]
        for parameters, function, character in TOKEN.findall(text):
            if function:
                self.control(parameters, function)
            else:
                self.put(character)

    def control(self, parameters, function):
        if function == "A":
            self.row = max(self.row - int(parameters or 1), max(0, len(self.lines) - self.rows))
        elif function in "CDG":
            count = int(parameters or 1)
            self.column = {"C": self.column + count, "D": max(0, self.column - count), "G": count - 1}[function]
        elif function == "P":
            line = self.lines[self.row]
            self.lines[self.row] = line[:self.column] + line[self.column + int(parameters or 1):]
        elif function == "@":
            line = self.lines[self.row]
            self.lines[self.row] = line[:self.column] + " " * int(parameters or 1) + line[self.column:]
        elif function == "K":
            self.lines[self.row] = self.lines[self.row][:self.column]
        elif function == "J":
            self.lines[self.row] = self.lines[self.row][:self.column]
            del self.lines[self.row + 1:]
        elif function in "hl" and parameters == "?25":
            self.cursor_shown = function == "h"
        elif not (function == "m" or (function in "hl" and parameters in ("?7", "?2026", "?2004"))):
            raise AssertionError(f"unexpected control sequence {parameters}{function}")

    def put(self, character):
        if character == "\r":
            self.column = 0
        elif character == "\b":
            self.column = max(0, self.column - 1)
        elif character == "\n":
            self.row += 1
            self.column = 0
            if self.row == len(self.lines):
                self.lines.append("")
        else:
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[:self.column] + character + line[self.column + 1:]
            self.column += 1

    def text(self):
        return "\n".join(line.rstrip() for line in self.lines)


class Session:
    """The program on a terminal of its own."""

    def __init__(self, *arguments, columns=100, rows=30, term="xterm-256color", environment=None):
        self.screen = Screen(columns, rows)
        self.raw = ""
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            base = {"PATH": os.environ["PATH"], "TERM": term}
            for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"):
                if name in os.environ:
                    base[name] = os.environ[name]
            time.sleep(0.1)  # until the size is set
            try:
                os.execve(PROGRAM, [PROGRAM, *arguments], {**base, **(environment or {})})
            finally:
                os._exit(127)  # else a second copy of the tests goes on
        self.resize(columns, rows)

    def resize(self, columns, rows):
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen.columns, self.screen.rows = columns, rows

    def type(self, text):
        os.write(self.terminal, text.encode())

    def read(self, seconds):
        ready, _, _ = select.select([self.terminal], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self.terminal, 65536)
        except OSError:
            return False
        text = data.decode(errors="ignore")
        self.raw += text
        self.screen.feed(text)
        return bool(data)

    def wait_for(self, part, seconds=20, count=1):
        end = time.monotonic() + seconds
        while self.screen.text().count(part) < count:
            if time.monotonic() > end:
                raise AssertionError(f"{part!r} does not appear in:\n{self.screen.text()}")
            self.read(0.05)

    def finish(self, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.read(0.05)
            process, status = os.waitpid(self.process, os.WNOHANG)
            if process:
                while self.read(0.05):
                    pass
                os.close(self.terminal)
                return os.waitstatus_to_exitcode(status)
        os.kill(self.process, signal.SIGKILL)
        raise AssertionError(f"the program does not end:\n{self.screen.text()}")


def cells(text):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text if not unicodedata.combining(c))


class Run(unittest.TestCase):
    def test_reasoning_is_dim_and_marked(self):
        session = Session("run", QWEN, "hi")
        self.assertEqual(session.finish(), 0)
        self.assertIn("\x1b[2mThinking...", session.raw)
        self.assertIn("...done thinking.\n\nqwen3.5:demo answers: hi\n", session.screen.text())
        self.assertIn("[thinking on]", session.screen.text())

    def test_no_color_keeps_the_markers(self):
        session = Session("run", QWEN, "hi", environment={"NO_COLOR": "1"})
        self.assertEqual(session.finish(), 0)
        self.assertNotIn("\x1b", session.raw)
        self.assertIn("Thinking...", session.raw)

    def test_a_dumb_terminal_gets_no_escapes(self):
        session = Session("run", QWEN, "slow read", term="dumb")
        self.assertEqual(session.finish(), 0)
        self.assertNotIn("\x1b", session.raw)

    def test_progress_is_shown_and_erased(self):
        session = Session("run", PHI, "read this")
        session.wait_for("reading the prompt")
        self.assertEqual(session.finish(), 0)
        self.assertNotIn("reading the prompt", session.screen.text())

    def test_a_model_cannot_move_the_cursor(self):
        session = Session("run", PHI, "escape")
        self.assertEqual(session.finish(), 0)
        self.assertIn("\ufffd[2J", session.screen.text())

    def test_ctrl_c_stops_a_single_answer(self):
        session = Session("run", PHI, "slow long")
        session.wait_for("Line 1")
        session.type("\x03")
        self.assertEqual(session.finish(), 130)


class Chat(unittest.TestCase):
    def test_a_conversation(self):
        session = Session("run", PHI)
        session.wait_for(">>>")
        session.type("one\n")
        session.wait_for("answers: one")
        session.type("fail\n")
        session.wait_for("Error: the conversation has 9 tokens")
        session.type("/no_think two\n")
        session.wait_for("answers: /no_think two")
        session.type("/nonsense\n")
        session.wait_for("'/nonsense' is no command")
        session.type("/?\n")
        session.wait_for("forget the conversation")
        session.type("/bye\n")
        self.assertEqual(session.finish(), 0)

    def test_several_lines_are_one_message(self):
        session = Session("run", PHI)
        session.wait_for(">>>")
        session.type('"""first\n')
        session.wait_for("...")
        session.type('second"""\n')
        session.wait_for("answers: first\nsecond")
        session.type("\x1b[200~pasted\rlines\x1b[201~")
        session.wait_for("lines")
        session.type(" end\n")
        session.wait_for("answers: pasted\nlines end")
        session.type("\x04")
        self.assertEqual(session.finish(), 0)

    def test_lines_are_edited_remembered_and_completed(self):
        with tempfile.TemporaryDirectory() as folder:
            home = {"HOME": folder}
            session = Session("run", PHI, environment=home)
            session.wait_for(">>>")
            session.type("wrld\x02\x02\x02o\n")  # back three characters
            session.wait_for("answers: world")
            session.type("日本x\x7f語\n")
            session.wait_for("answers: 日本語")
            session.type("/sh\t\n")
            session.wait_for("snapshots")
            session.type("/bye\n")
            self.assertEqual(session.finish(), 0)
            history = os.path.join(folder, ".local/state/tandem/history")
            self.assertEqual(os.stat(history).st_mode & 0o777, 0o600)
            session = Session("run", PHI, environment=home)
            session.wait_for(">>>")
            session.type("\x1b[A\x1b[A\x1b[A\n")  # before /bye and /show
            session.wait_for("answers: 日本語")
            session.type("/set nohistory\n")
            session.wait_for("not remembered")
            session.type("secret\n")
            session.wait_for("answers: secret")
            session.type("\x04")
            self.assertEqual(session.finish(), 0)
            with open(history) as file:
                self.assertNotIn("secret", file.read())

    def test_settings_are_changed_saved_and_loaded(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "talk.json")
            session = Session("run", QWEN, "--system", "Be brief.", environment={"HOME": folder})
            session.wait_for(">>>")
            for command, shown in (("/set parameter temperature 0.25", "temperature is 0.25."),
                                   ("/set parameter temprature 1", "did you mean 'temperature'"),
                                   ("/set parameter top-k x", "'x' is no value of top-k"),
                                   ("/set nothink", "Thinking is off."),
                                   ("/set verbos", "did you mean verbose"),
                                   ("hello", "answers: hello"),
                                   (f"/save {path}", "3 messages are in"),
                                   ("/clear", "The conversation is forgotten."),
                                   ("/show messages", "system: Be brief."),
                                   ("/set think", "Thinking is on."),
                                   ("/load /nonsense/file", "Error: "),
                                   (f"/load {path}", "3 messages with qwen3.5:demo."),
                                   ("/show parameters", "nothink"),
                                   ("/show system", "Be brief."),
                                   ("/show thinking", "came without thinking"),
                                   ("/regen", "answers: hello"),
                                   ("/regen 2", "'2' is no number of a message")):
                session.type(command + "\n")
                session.wait_for(shown)
            self.assertIn("temperature=0.25", session.screen.text())
            session.type("/edit\n")
            time.sleep(0.2)
            session.type(" again\n")
            session.wait_for("answers: hello again")
            session.type("/bye\n")
            self.assertEqual(session.finish(), 0)

    def test_tools_are_called_and_answered(self):
        with tempfile.TemporaryDirectory() as folder:
            tools, saved = os.path.join(folder, "tools.json"), os.path.join(folder, "talk.json")
            with open(tools, "w") as file:
                file.write('[{"type": "function", "function": {"name": "get_weather"}}]')
            session = Session("run", PHI, environment={"HOME": folder})
            session.wait_for(">>>")
            for command, shown in (("/tool x", "Error: no call of a tool waits for a result"),
                                   ("/set tools /nonsense", "Error: cannot open '/nonsense'"),
                                   (f"/set tools {tools}", "The tools are get_weather."),
                                   ("use a tool", 'calls get_weather {"city": "Oslo"}'),
                                   (f"/save {saved}", "2 messages are in"),
                                   ("/tool 3 C", "answers: 3 C"),
                                   ("/set tools", "There are no tools."),
                                   (f"/load {saved}", "2 messages with phi4-mini:demo."),
                                   ("/show tools", "get_weather"),
                                   ("/show messages", 'use a tool [calls get_weather {"city": "Oslo"}]'),
                                   ("/tool 4 C", "answers: 4 C"),
                                   ("/set think-budget 7", "think-budget is 7."),
                                   ("/show parameters", "think-budget=7"),
                                   ("/set think-budget x", "'x' is no value of think-budget"),
                                   ("/set think-budget", "Thinking has no limit."),
                                   ("/set tool", "did you mean tools")):
                session.type(command + "\n")
                session.wait_for(shown)
            self.assertIn('\x1b[2mcalls get_weather {"city": "Oslo"}\x1b[0m', session.raw)
            session.type("/bye\n")
            self.assertEqual(session.finish(), 0)

    def test_what_is_typed_during_an_answer_counts(self):
        session = Session("run", PHI)
        session.wait_for(">>>")
        session.type("slow one\n")
        session.wait_for("answers")
        session.type("next\n\x04")
        session.wait_for("answers: next")
        self.assertEqual(session.finish(), 0)

    def test_ctrl_c_twice_at_the_prompt_leaves(self):
        session = Session("run", PHI)
        session.wait_for(">>>")
        session.type("half a line\x03")
        session.wait_for("Type /bye or press Ctrl-D")
        session.type("\x03")
        self.assertEqual(session.finish(), 0)

    def test_a_dumb_terminal_has_a_plain_conversation(self):
        session = Session("run", PHI, term="dumb")
        session.wait_for(">>>")
        session.type("one\n")
        session.wait_for("answers: one")
        session.type("/bye\n")
        self.assertEqual(session.finish(), 0)
        self.assertNotIn("\x1b", session.raw)

    def test_ctrl_c_stops_the_reading_and_not_the_program(self):
        session = Session("run", PHI)
        session.wait_for(">>>")
        session.type("read this\n")
        session.wait_for("reading the prompt")
        session.type("\x03")
        session.wait_for(">>>", count=2)
        self.assertNotIn("answers: read this", session.screen.text())
        session.type("again\n")
        session.wait_for("answers: again")
        session.type("\x04")
        self.assertEqual(session.finish(), 0)

    def test_a_window_that_changes_while_an_answer_comes(self):
        session = Session("run", PHI, columns=100)
        session.wait_for(">>>")
        session.type("slow " + "word " * 60 + "\n")
        session.wait_for("answers: slow word")
        session.resize(50, 30)
        session.wait_for(">>>", count=2)
        lines = session.screen.text().split("answers: ")[1].splitlines()
        self.assertEqual(" ".join(lines).split().count("word"), 60)
        self.assertTrue(all(len(line) <= 50 for line in lines[1:]), lines)
        session.type("long " + "word " * 20 + "\n")
        session.wait_for("Line 60")
        session.type("\x04")
        self.assertEqual(session.finish(), 0)

    def test_ctrl_c_stops_the_answer_and_not_the_program(self):
        session = Session("run", PHI)
        session.wait_for(">>>")
        session.type("slow long\n")
        session.wait_for("Line 2")
        session.type("\x03")
        time.sleep(0.2)
        session.type("\x03")
        session.wait_for("Type /bye or press Ctrl-D")
        session.type("again\n")
        session.wait_for("answers: again")
        session.type("\x04")
        self.assertEqual(session.finish(), 0)


class Compare(unittest.TestCase):
    def check_bars(self, text):
        positions = {cells(line.split("│")[0]) for line in text.splitlines() if "│" in line}
        self.assertEqual(len(positions), 1, text)

    def test_columns_stream_and_end_as_plain_text(self):
        session = Session("compare", QWEN, PHI, "slow hello")
        session.wait_for("phi4-mini:demo  answering")
        self.assertFalse(session.screen.cursor_shown)
        self.assertEqual(session.finish(), 0)
        text = session.screen.text()
        self.assertTrue(session.screen.cursor_shown)
        self.check_bars(text)
        self.assertEqual(text.count("Thinking..."), 1)
        self.assertNotIn("answering", text)
        self.assertIn("tok/s", text)

    def test_an_answer_longer_than_the_screen_is_whole_in_the_end(self):
        session = Session("compare", PHI, QWEN + "@nothink", "long", rows=12)
        self.assertEqual(session.finish(), 0)
        text = session.screen.text()
        for number in (1, 30, 60):
            self.assertEqual(text.count(f"Line {number} of phi4"), 1, number)

    def test_a_narrow_terminal_shows_one_after_the_other(self):
        session = Session("compare", QWEN, PHI, "hello", columns=40)
        self.assertEqual(session.finish(), 0)
        text = session.screen.text()
        self.assertLess(text.index("== qwen3.5:demo =="), text.index("== phi4-mini:demo =="))
        self.assertNotIn("│", text)

    def test_a_window_that_becomes_narrow_ends_well(self):
        session = Session("compare", PHI, QWEN + "@nothink", "slow hello " * 20, columns=160)
        session.wait_for("phi4-mini:demo  answering")
        session.resize(60, 30)
        self.assertEqual(session.finish(), 0)
        self.assertIn("== qwen3.5:demo@nothink ==", session.screen.text())

    def test_ctrl_c_shows_what_there_is(self):
        session = Session("compare", QWEN, PHI, "slow long")
        session.wait_for("Line 2")
        session.type("\x03")
        self.assertEqual(session.finish(), 130)
        text = session.screen.text()
        self.assertTrue(session.screen.cursor_shown)
        self.assertIn("[interrupted]", text)
        self.assertIn("cancelled", text)

    def test_ctrl_c_in_a_conversation_while_reading_and_while_answering(self):
        session = Session("compare", QWEN, PHI)
        session.wait_for(">>>")
        for message, seen, count in (("read this", "reading", 2), ("slow long", "Line 2", 4)):
            session.type(message + "\n")
            session.wait_for(seen)
            session.type("\x03")
            session.wait_for("[interrupted]", count=count)
        session.wait_for(">>>", count=3)
        self.assertNotIn("answers: read this", session.screen.text())
        session.type("again\n")
        session.wait_for("phi4-mini:demo answers: again")
        session.type("\x04")
        self.assertEqual(session.finish(), 0)

    def test_a_conversation_with_tools(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as tools:
            tools.write('[{"name": "get_weather"}]')
            tools.flush()
            session = Session("compare", QWEN, PHI, rows=60)
            session.wait_for(">>>")
            for typed, shown in (("/tool all 3 C", "no call of a tool waits for a result"),
                                 (f"/set tools {tools.name}", "The tools are get_weather."),
                                 ("/tool c 3 C", "'c' is no column; it takes one of a, b, all"),
                                 ("use a tool", "b  phi4-mini:demo: "),
                                 # Each has called; the first result is for one of them alone.
                                 ("/tool b 7 C", "phi4-mini:demo answers: 7 C"),
                                 ("/tool b 8 C", "no call of a tool waits for a result"),
                                 ("/tool all 9 C", "qwen3.5:demo answers: 9 C"),
                                 ("/set tools", "There are no tools."),
                                 ("/show", "assistant: phi4-mini:demo answers: 7 C")):  # its last line
                session.type(typed + "\n")
                session.wait_for(shown, count=2 if "8 C" in typed else 1)
            text = session.screen.text()
            self.assertEqual(text.count("takes no turn"), 2)
            self.assertNotIn("phi4-mini:demo answers: 9 C", text)
            self.assertIn('assistant: phi4-mini:demo answers: use a tool [calls get_weather {"city": "Oslo"}]', text)
            session.type("\x04")
            self.assertEqual(session.finish(), 0)

    def test_a_conversation_with_votes(self):
        session = Session("compare", QWEN, PHI)
        session.wait_for(">>>")
        session.type("/vote a\n")
        session.wait_for("there is no answer to vote on")
        for message, vote, shown in (("one", "a", "a qwen3.5:demo 1, b phi4-mini:demo 0, ties 0"),
                                     ("two", "tie", "a qwen3.5:demo 1, b phi4-mini:demo 0, ties 1")):
            session.type(message + "\n")
            session.wait_for(f"phi4-mini:demo answers: {message}")
            session.wait_for("b  phi4-mini:demo: ")
            session.type(f"/vote {vote}\n")
            session.wait_for(shown)
        session.type("/vote c\n")
        session.wait_for("'c' is no vote; it takes one of a, b, tie")
        session.type("/vote a\n")
        session.wait_for("has your vote already")
        session.type("/show\n")
        session.wait_for("user: two")
        session.type("\x04")
        self.assertEqual(session.finish(), 0)
        self.assertEqual(session.screen.text().count("Votes:"), 3)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()
