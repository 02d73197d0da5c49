#!/usr/bin/env python3
"""--format with both demo models, with and without thinking; refused schemas; answers that repeat themselves.

usage: format_test.py PATH/TO/tandem
"""
import json
import os
import pty
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from gguf_file import STRING, Gguf

ASSETS = Path(__file__).resolve().parents[2] / "assets" / "demo"
TANDEM = sys.argv.pop(1)
QWEN, PHI = "qwen3.5:demo", "phi4-mini:demo"
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 12},
        "age": {"type": "integer", "minimum": 0, "maximum": 130},
        "tags": {"type": "array", "items": {"enum": ["red", "green"]}, "minItems": 1, "maxItems": 3},
        "born": {"type": "string", "format": "date"},
    },
    "required": ["name", "age", "tags"],
}


def run(*args, data=b""):
    return subprocess.run([TANDEM, *args], input=data, capture_output=True, timeout=120)


class Formats(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.schema = self.folder / "s.json"
        self.schema.write_text(json.dumps(SCHEMA))

    def answer(self, model, *args, limit=400):
        done = run("run", model, "--json", "--max-tokens", str(limit), *args)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def check(self, answer):
        self.assertEqual(answer["finish"], "stop", answer)
        value = json.loads(answer["answer"])
        self.assertEqual([k for k in SCHEMA["properties"] if k in value], list(value))
        self.assertTrue(set(SCHEMA["required"]) <= set(value))
        self.assertTrue(1 <= len(value["name"]) <= 12)
        self.assertTrue(0 <= value["age"] <= 130)
        self.assertTrue(1 <= len(value["tags"]) <= 3 and set(value["tags"]) <= {"red", "green"})

    def test_a_schema_holds_with_and_without_thinking(self):
        for seed in ("1", "2", "3"):
            for model, think in ((QWEN, ["--think"]), (QWEN, ["--think=false"]), (PHI, [])):
                answer = self.answer(model, "Who are you?", "--format", str(self.schema), "--seed", seed,
                                     "--temperature", "1", *think)
                self.check(answer)
                self.assertEqual(answer["thinking"], "--think" in think)
                self.assertEqual(answer["figures"]["reasoning_tokens"] > 0, "--think" in think)
        self.check(self.answer(PHI, "Hello", "--format", str(self.schema), "--temperature", "0"))
        self.check(self.answer(PHI, "Hello", "--format", str(self.schema), "--repetition-penalty", "1.5"))

    def test_any_json_is_an_object_or_is_cut_with_a_note(self):
        for model in (QWEN, PHI):
            for seed in range(4):
                answer = self.answer(model, "Hello", "--format", "json", "--seed", str(seed), "--temperature", "1.5")
                if answer["finish"] == "stop":
                    self.assertIsInstance(json.loads(answer["answer"]), dict)
                    self.assertEqual(answer["notes"], [])
                else:
                    self.assertEqual(answer["finish"], "length")
                    self.assertIn("incomplete", answer["notes"][-1])

    def test_a_cut_answer_says_so(self):
        cut = self.answer(PHI, "Hello", "--format", str(self.schema), limit=3)
        self.assertEqual((cut["finish"], cut["notes"]), ("length", ["The answer was cut: its JSON is incomplete."]))
        cut = self.answer(QWEN, "Hello", "--think", "--format", "json", limit=2)
        self.assertEqual(cut["notes"], ["The answer ended while thinking: there is no JSON."])
        done = run("run", PHI, "Hello", "--format", "json", "--max-tokens", "1")
        self.assertIn(b"its JSON is incomplete", done.stderr)

    def test_thinking_that_is_closed_early_is_followed_by_the_value(self):
        for budget in ("0", "4"):
            answer = self.answer(QWEN, "What is 3 + 4?", "--format", str(self.schema), "--think-budget", budget)
            self.check(answer)
            self.assertEqual(answer["thinking_cut"], budget != "0")

    def test_a_model_that_opens_thinking_itself_has_the_value_behind_it(self):
        model = Gguf.read(ASSETS / "phi4-mini-demo.gguf")
        model.set("general.name", STRING, "Phi 4 Mini Reasoning")
        model.write(self.folder / "reasoning.gguf")
        path = str(self.folder / "reasoning.gguf")
        # This one would not open it, if it had not this liking.
        ids = json.loads(run("tokenize", path, "<").stdout)
        likes = ["--logit-bias", f"{ids[0]}=100", "--think-budget", "4", "--format", str(self.schema)]
        answer = self.answer(path, "Hello", *likes)
        self.check(answer)
        self.assertTrue(answer["thinking"] and answer["thinking_cut"])
        self.assertIn("limited time", answer["reasoning"])
        answer = self.answer(path, "Hello", "--think=false", *likes)
        self.check(answer)
        self.assertEqual((answer["thinking"], answer["reasoning"]), (False, ""))
        answer = self.answer(PHI, "Hello", *likes)
        self.check(answer)
        self.assertEqual((answer["thinking"], answer["reasoning"]), (False, ""))

    def test_with_a_format_no_tool_is_called(self):
        tools = self.folder / "tools.json"
        tools.write_text('[{"name": "f", "parameters": {"type": "object", "properties": {}}}]')
        answer = self.answer(PHI, "Call f.", "--format", str(self.schema), "--tools", str(tools))
        self.check(answer)
        self.assertEqual(answer["tool_calls"], [])

    def test_each_turn_begins_anew(self):
        done = run("run", PHI, "--chat", "--json", "--format", str(self.schema), data=b"Hello\nBye\nWho are you?\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(len(answers), 3)
        for answer in answers:
            self.check(answer)

    def test_compare_holds_every_column_to_it(self):
        done = run("compare", QWEN, PHI, "--json", "--format", str(self.schema), "--seed", "3", "--prompt", "Hello")
        self.assertEqual(done.returncode, 0, done.stderr)
        for column in json.loads(done.stdout)["columns"]:
            self.check(column)

    def test_a_conversation_sets_and_drops_it(self):
        self.converse(["run", PHI, "--seed", "1", "--temperature", "0"], [
            ("/set format nowhere.json", "nowhere.json"),
            (f"/set format {self.schema}", f"Answers fit {self.schema}."),
            ("Hello", '"tags":'),
            ("/regen", '"tags":'),
            (f"/save {self.folder}/chat.json", "messages are in"),
            ("/set format off", "Answers are free."),
            (f"/load {self.folder}/chat.json", "messages with"),
            ("Bye", '"tags":'),
        ])
        self.assertEqual(json.loads(json.loads((self.folder / "chat.json").read_text())["format"]), SCHEMA)
        self.converse(["compare", PHI, PHI], [
            ("/set think", "format json, FILE or off"),
            (f"/set format {self.schema}", "Answers fit"),
            ("Hello", '"tags":'),
        ])

    def converse(self, args, turns):
        """Types each line and waits for what must then be shown."""
        master, slave = pty.openpty()
        environment = {**os.environ, "TERM": "dumb", "XDG_STATE_HOME": str(self.folder)}
        with subprocess.Popen([TANDEM, *args], stdin=slave, stdout=slave, stderr=slave, env=environment,
                              start_new_session=True) as process:
            os.close(slave)
            shown = b""
            for line, expected in turns:
                os.write(master, line.encode() + b"\n")
                begin = len(shown) + len(line)  # behind the echo
                while expected.encode() not in shown[begin:].replace(b"\r\n", b""):
                    shown += os.read(master, 4096)
            os.write(master, b"/bye\n")
            try:
                while os.read(master, 4096):
                    pass
            except OSError:
                pass  # the program has closed its end
            self.assertEqual(process.wait(timeout=60), 0)
        os.close(master)

    def test_refused_schemas_name_file_pointer_and_keyword(self):
        for text, message in (
                ('{"properties":{"a":{"multipleOf":2}}}', "#/properties/a: 'multipleOf' is not supported"),
                ('{"items":{"pattern":"(?=a)"}}', "#/items: pattern '(?=a)'"),
                ('{"type":', "not valid JSON at byte"),
                ('{"$ref":"#"}', "refers to itself"),
                ('{"minItems":3,"maxItems":1}', "'minItems' 3 is above 'maxItems' 1"),
        ):
            self.schema.write_text(text)
            for command in (["run", PHI, "Hi"], ["compare", PHI, QWEN, "--prompt", "Hi"]):
                done = run(*command, "--format", str(self.schema))
                self.assertEqual((done.returncode, done.stdout), (1, b""), done)
                lines = done.stderr.decode().splitlines()
                self.assertEqual(len(lines), 1, lines)
                self.assertTrue(lines[0].startswith(f"Error: {self.schema}: "), lines)
                self.assertIn(message, lines[0])
        done = run("run", PHI, "Hi", "--format", str(self.folder / "none.json"))
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"none.json", done.stderr)


class Loops(unittest.TestCase):
    # A bias that leaves one token: an answer that only repeats itself.
    ARGS = ["--logit-bias", "100=1000", "--max-tokens", "1500", "--quiet", "--ctx", "2048"]

    def test_an_answer_that_repeats_itself_is_stopped(self):
        done = run("run", PHI, "Hello", "--json", *self.ARGS)
        answer = json.loads(done.stdout)
        self.assertEqual((done.returncode, answer["finish"]), (0, "loop"))
        self.assertEqual(answer["figures"]["answer_tokens"], 1024)
        done = run("run", QWEN, "Hello", "--think", "--json", *self.ARGS)
        answer = json.loads(done.stdout)
        self.assertEqual((answer["finish"], answer["answer"]), ("loop", ""))
        self.assertEqual(answer["figures"]["reasoning_tokens"], 1024)

    def test_a_note_says_so_and_a_flag_lets_it_go_on(self):
        args = [arg for arg in self.ARGS if arg != "--quiet"]
        self.assertIn(b"repeats itself", run("run", PHI, "Hello", *args).stderr)
        done = run("run", PHI, "Hello", "--json", "--no-loop-check", *self.ARGS)
        self.assertEqual(json.loads(done.stdout)["finish"], "length")


if __name__ == "__main__":
    unittest.main()
