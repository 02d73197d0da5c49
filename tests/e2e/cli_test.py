#!/usr/bin/env python3
"""Drives the program as a person would: both demo models, bad files, bad text, exit codes.

usage: cli_test.py PATH/TO/tandem
"""
import json
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

TANDEM = sys.argv.pop(1)
QWEN, PHI = "qwen3.5:demo", "phi4-mini:demo"


def run(*args, data=b""):
    return subprocess.run([TANDEM, *args], input=data, capture_output=True, timeout=120)


class Demo(unittest.TestCase):
    def test_compare_answers_with_both_models(self):
        done = run("compare", QWEN, PHI, "--json", "--seed", "7", "--max-tokens", "200", "--prompt", "Hello")
        self.assertEqual(done.returncode, 0, done.stderr)
        columns = json.loads(done.stdout)["columns"]
        self.assertEqual([c["label"] for c in columns], [QWEN, PHI])
        self.assertEqual([c["thinking"] for c in columns], [True, False])
        for column in columns:
            self.assertTrue(column["answer"], column)
            self.assertEqual(column["finish"], "stop", column)

    def test_no_think_answers_at_once(self):
        done = run("run", QWEN, "Hello /no_think", "--json")
        answer = json.loads(done.stdout)
        self.assertFalse(answer["thinking"])
        self.assertEqual(answer["reasoning"], "")
        self.assertEqual(answer["figures"]["reasoning_tokens"], 0)

    def test_a_budget_ends_thinking(self):
        arguments = ("run", QWEN, "What is 27 + 45?", "--json", "--seed", "4")
        free = json.loads(run(*arguments).stdout)
        cut = json.loads(run(*arguments, "--think-budget", "3").stdout)
        self.assertEqual((free["thinking_cut"], cut["thinking_cut"]), (False, True))
        self.assertIn("Considering the limited time by the user", cut["reasoning"])
        # The line itself, and at most the rest of a character.
        line = len(json.loads(run("tokenize", QWEN, cut["reasoning"][cut["reasoning"].index("Considering"):]).stdout))
        self.assertLessEqual(cut["figures"]["reasoning_tokens"], 3 + 3 + line + 4)
        self.assertTrue(cut["answer"])
        none = json.loads(run(*arguments, "--think-budget", "0").stdout)
        self.assertEqual((none["thinking"], none["reasoning"], none["figures"]["reasoning_tokens"]), (False, "", 0))

    def test_a_result_of_a_tool_is_answered(self):
        tools = [{"type": "function", "function": {"name": "get_weather"}}]
        messages = [{"role": "user", "content": "Weather in Oslo?"},
                    {"role": "assistant", "content": "", "tool_calls": [
                        {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": {}}}]},
                    {"role": "tool", "tool_call_id": "call_1", "content": "3 C"}]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "m.json")
            for model in (QWEN, PHI):
                path.write_text(json.dumps({"messages": messages}))
                plain = json.loads(run("run", model, "--messages", str(path), "--json").stdout)
                path.write_text(json.dumps({"messages": messages, "tools": tools}))
                told = json.loads(run("run", model, "--messages", str(path), "--json").stdout)
                ids = json.loads(run("tokenize", model, json.dumps(tools[0]["function"])).stdout)
                self.assertGreaterEqual(told["figures"]["prompt_tokens"],
                                        plain["figures"]["prompt_tokens"] + len(ids) - 2)

    def test_same_seed_same_answer(self):
        answers = {run("run", PHI, "Who are you?", "--temperature", "1", "--seed", "5").stdout for _ in range(2)}
        self.assertEqual(len(answers), 1)

    def test_report_of_a_file_of_prompts(self):
        with tempfile.TemporaryDirectory() as folder:
            prompts, report = Path(folder, "p.jsonl"), Path(folder, "r.md")
            prompts.write_text('"Hello"\n{"prompt": "Bye"}\n')
            done = run("compare", QWEN, PHI, "--prompts", str(prompts), "--report", str(report))
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("## Prompt 2", report.read_text())

    def test_a_further_turn_reads_its_own_message_alone(self):
        messages = ["Hello", "What is 3 + 4?", "Which is larger, 5 or 8? /no_think", "Bye"]
        for model in (QWEN, PHI):
            done = run("run", model, "--chat", "--json", data="\n".join(messages).encode() + b"\n")
            self.assertEqual(done.returncode, 0, done.stderr)
            answers = [json.loads(line) for line in done.stdout.splitlines()]
            self.assertEqual(len(answers), len(messages))
            for message, answer in list(zip(messages, answers))[1:]:
                figures = answer["figures"]
                ids = json.loads(run("tokenize", model, message.replace(" /no_think", "")).stdout)
                # Beside the message: what opens and closes it, and what opens the answer.
                self.assertLessEqual(figures["prompt_tokens"] - figures["reused_tokens"], len(ids) + 14, answer)
                self.assertGreater(figures["read_ahead_tokens"], 0, answer)
            # Thinking is in no later prompt: what is read ahead is the answer without it.
            if model == QWEN:
                self.assertGreater(answers[1]["figures"]["reasoning_tokens"], 0)
                self.assertLess(answers[2]["figures"]["read_ahead_tokens"],
                                answers[1]["figures"]["answer_tokens"] + 14)

    def test_a_reader_that_leaves_ends_it_quietly(self):
        command = 'set -o pipefail; printf "What is 3 + 4?\\n" | "$0" run "$1" --show-thinking --seed 1 | head -1'
        done = subprocess.run(["bash", "-c", command, TANDEM, QWEN], capture_output=True, timeout=120)
        self.assertEqual((done.stdout, done.stderr), (b"Thinking...\n", b""))

    def test_quiet_is_the_answer_alone(self):
        for arguments in (("run", PHI), ("run", QWEN, "--verbose"), ("compare", QWEN, PHI)):
            done = run(*arguments, "--quiet", "--seed", "4", data=b"Hello")
            self.assertEqual((done.returncode, done.stderr), (0, b""), arguments)
            self.assertTrue(done.stdout)

    def test_a_conversation_without_a_terminal(self):
        done = run("run", PHI, "--chat", "--quiet", data=b"Hello\n\nBye\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertGreaterEqual(len(done.stdout.decode().strip().splitlines()), 2)
        done = run("run", PHI, "--chat", "Hello")
        self.assertEqual(done.returncode, 2)
        done = run("run", PHI, "--chat", data=b"Hello\nB\xffye\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"line 2 is not valid UTF-8 at byte 1", done.stderr)


class Accuracy(unittest.TestCase):
    """Always the most likely token; the thresholds leave room below what README states."""

    def test_sums_and_the_gain_of_thinking(self):
        # Kept out of training.
        items = [
            ("Calculate 4+38.", "42"),
            ("What is 8 + 18?", "26"),
            ("Please compute 81+38.", "119"),
            ("Compute 43 + 89.", "132"),
            ("Tell me what 74 + 89 is.", "163"),
            ("48+90?", "138"),
            ("32+68?", "100"),
            ("6 + 55 = ?", "61"),
            ("what is 91-65", "26"),
            ("Compute 28+77.", "105"),
            ("Compute 77 - 25.", "52"),
            ("what is 83-70", "13"),
        ]
        with tempfile.TemporaryDirectory() as folder:
            prompts = Path(folder, "p.jsonl")
            prompts.write_text("".join(json.dumps(question) + "\n" for question, _ in items))
            done = run("compare", QWEN + "@think", QWEN + "@nothink", PHI, "--prompts", str(prompts), "--json",
                       "--temperature", "0", "--max-tokens", "120")
        self.assertEqual(done.returncode, 0, done.stderr)
        right = [0, 0, 0]
        for (_, expected), prompt in zip(items, json.loads(done.stdout)["prompts"]):
            for i, column in enumerate(prompt["columns"]):
                right[i] += column["answer"].strip() == expected
        self.assertGreaterEqual(right[0], 9, right)
        self.assertGreaterEqual(right[2], 9, right)
        self.assertGreater(right[0], right[1], right)


class Interrupt(unittest.TestCase):
    def test_ctrl_c_stops_the_reading_of_a_long_prompt(self):
        with subprocess.Popen([TANDEM, "run", PHI, "--isa", "scalar"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            process.stdin.write(b"word " * 60000)
            process.stdin.close()
            time.sleep(1)
            self.assertIsNone(process.poll(), "the prompt was read too fast for this test")
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(timeout=60), 130)


class BadInput(unittest.TestCase):
    def fails(self, code, *args, data=b""):
        done = run(*args, data=data)
        self.assertEqual(done.returncode, code, done)
        lines = done.stderr.decode().splitlines()
        self.assertTrue(lines and lines[0].startswith("Error: "), done.stderr)
        if code == 1:
            self.assertEqual(len(lines), 1, done.stderr)
        return lines[0]

    def test_files_that_are_no_model(self):
        with tempfile.TemporaryDirectory() as folder:
            self.fails(1, "run", folder, "Hi")
            for name, data in (("empty", b""), ("junk", b"not a model at all"), ("cut", b"GGUF\x03\x00\x00\x00\x01")):
                path = Path(folder, name + ".gguf")
                path.write_bytes(data)
                self.fails(1, "run", str(path), "Hi")
        self.fails(1, "run", "/nowhere/model.gguf", "Hi")

    def test_bad_utf8_names_its_place(self):
        self.assertIn("byte 2", self.fails(1, "run", PHI, data=b"ab\xff"))

    def test_context_above_the_limit(self):
        self.assertIn("131072", self.fails(1, "run", PHI, "Hi", "--ctx", "200000"))

    def test_prompt_longer_than_the_context(self):
        self.assertIn("context", self.fails(1, "run", PHI, "word " * 400, "--ctx", "64"))

    def test_other_architectures_are_named(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "other.gguf")
            key, value = b"general.architecture", b"gpt2"
            path.write_bytes(b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, len(key)) + key
                             + struct.pack("<IQ", 8, len(value)) + value)
            self.assertIn("architecture 'gpt2'", self.fails(1, "run", str(path), "Hi"))

    def test_a_tensor_past_the_end_is_named(self):
        whole = Path(__file__).parent.parent / "data/oracle/phi-a/f32.gguf"
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "cut.gguf")
            path.write_bytes(whole.read_bytes()[:200000])
            for command in (["run", str(path), "Hi"], ["show", str(path)], ["tokenize", str(path), "Hi"]):
                self.assertRegex(self.fails(1, *command), "cut.gguf: tensor '.*' needs")
            changed = bytearray(whole.read_bytes())
            changed[30] = 0xff  # a length in the metadata
            path.write_bytes(changed)
            self.fails(1, "run", str(path), "Hi")

    def test_a_template_error_gives_class_and_place(self):
        with tempfile.TemporaryDirectory() as folder:
            template, variables = Path(folder, "t.jinja"), Path(folder, "v.json")
            template.write_text("line\n{{ raise_exception('no ' ~ x) }}")
            variables.write_text('{"x": 1}')
            done = run("render", "--template", str(template), "--vars", str(variables))
            self.assertEqual((done.returncode, done.stdout), (1, b""))
            self.assertEqual(done.stderr, b"Error: TemplateError at 2:4: no 1\n")
            template.write_text("{% if %}")
            done = run("render", "--template", str(template), "--vars", str(variables))
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr.decode(), r"^Error: TemplateSyntaxError at 1:\d+: .*\n$")

    def test_usage(self):
        self.fails(2, "frobnicate")
        self.fails(2, "run")
        self.fails(2, "compare", PHI, "--prompt", "Hi")


if __name__ == "__main__":
    unittest.main()
