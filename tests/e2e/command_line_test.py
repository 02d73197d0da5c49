#!/usr/bin/env python3
"""Runs the program with arguments, pipes and files; looks at output, error line and exit code.

Usage: command_line_test.py PROGRAM, a build over made-up answers (src/cli/fake_api_for_test.cc).
"""
import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

PROGRAM = ""
QWEN = "qwen3.5:demo"
PHI = "phi4-mini:demo"


def run(*arguments, stdin=b""):
    result = subprocess.run([PROGRAM, *arguments], input=stdin, capture_output=True, timeout=60)
    return result.returncode, result.stdout.decode(), result.stderr.decode()


class Usage(unittest.TestCase):
    def test_unknown_command_suggests_the_close_one(self):
        code, out, err = run("comapre")
        self.assertEqual((code, out), (2, ""))
        self.assertIn("did you mean 'compare'?", err.splitlines()[0])

    def test_unknown_option_suggests_the_close_one(self):
        code, _, err = run("run", QWEN, "--temprature", "1", "hi")
        self.assertEqual(code, 2)
        self.assertIn("did you mean '--temperature'?", err)

    def test_value_of_the_wrong_kind_is_named(self):
        code, _, err = run("run", QWEN, "--seed", "x", "hi")
        self.assertEqual(code, 2)
        self.assertIn("'x' is no value of --seed", err)

    def test_values_out_of_range_are_wrong_usage(self):
        for option, value in (("--threads", "-1"), ("--threads", "100000"), ("--ctx", "-1"), ("--max-tokens", "-5"),
                              ("--seed", "-1"), ("--kv", "f64"), ("--isa", "avx9"), ("--temperature", "-1"),
                              ("--top-p", "2"), ("--min-p", "-0.1"), ("--repetition-penalty", "-1"), ("--top-k", "-1"),
                              ("--think-budget", "-1"), ("--repetition-penalty", "0"), ("--temperature", "nan"), ("--presence-penalty", "inf")):
            code, out, err = run("run", QWEN, "hi", option, value)
            self.assertEqual((code, out), (2, ""), option)
            self.assertIn(option, err.splitlines()[0])
        self.assertEqual(run("run", QWEN, "hi", "--ctx", "-1")[2].splitlines()[0], "Error: --ctx: '-1' is below 0")
        code, _, err = run("run", QWEN, "hi", "--think=maybe")
        self.assertEqual(code, 2)
        self.assertIn("--think is 'maybe'; it takes true or false", err)

    def test_every_command_has_help(self):
        for verb in ("run", "compare", "show", "bench", "perplexity", "kl", "convert", "quantize", "imatrix",
                     "tokenize", "detokenize", "render", "logits", "version"):
            code, out, err = run(verb, "--help")
            self.assertEqual((code, err), (0, ""), verb)
            self.assertIn(f"Usage: tandem {verb}", out)

    def test_no_command_shows_help_and_fails(self):
        code, out, err = run()
        self.assertEqual((code, out), (2, ""))
        self.assertIn("Usage: tandem", err)


class Run(unittest.TestCase):
    def test_words_are_joined(self):
        self.assertEqual(run("run", QWEN, "show", "me"), (0, f"{QWEN} answers: show me\n", ""))

    def test_standard_input_comes_before_the_words(self):
        self.assertEqual(run("run", PHI, "b", "c", stdin=b"a\n"), (0, f"{PHI} answers: a b c\n", ""))

    def test_nothing_to_answer_is_wrong_usage(self):
        code, _, err = run("run", QWEN)
        self.assertEqual(code, 2)
        self.assertTrue(err.startswith("Error: there is no prompt"))

    def test_bad_utf8_names_the_byte(self):
        code, out, err = run("run", QWEN, stdin=b"ab\xff")
        self.assertEqual((code, out, err), (1, "", "Error: standard input is not valid UTF-8 at byte 2\n"))
        code, out, err = run("run", QWEN, b"a\xff")
        self.assertEqual((code, out, err), (1, "", "Error: the prompt is not valid UTF-8 at byte 1\n"))

    def test_a_cut_answer_is_said_to_be_cut(self):
        code, out, err = run("run", PHI, "--max-tokens", "3", "long")
        self.assertEqual(code, 0)
        self.assertEqual(err, "Note: cut after 3 tokens; --max-tokens sets the limit\n")

    def test_an_error_is_one_line(self):
        code, out, err = run("run", PHI, "fail")
        self.assertEqual((code, out, err), (1, "", "Error: the conversation has 9 tokens; 8 fit\n"))

    def test_json_has_the_documented_fields(self):
        code, out, _ = run("run", QWEN, "--json", "--seed", "5", "hi")
        answer = json.loads(out)
        self.assertEqual(code, 0)
        self.assertEqual(list(answer), ["model", "answer", "reasoning", "thinking", "thinking_cut", "tool_calls",
                                        "finish", "seed", "sampling", "figures", "notes"])
        self.assertEqual((answer["thinking"], answer["finish"], answer["seed"]), (True, "stop", 5))

    def test_think_switches(self):
        for flag, thinking in (("--think", True), ("--think=true", True), ("--think=false", False)):
            self.assertEqual(json.loads(run("run", PHI, flag, "--json", "hi")[1])["thinking"], thinking, flag)

    def test_a_closed_pipe_ends_quietly(self):
        with subprocess.Popen([PROGRAM, "run", PHI, "slow long"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            process.stdout.readline()
            process.stdout.close()
            process.wait(timeout=60)
            self.assertEqual(process.stderr.read(), b"")

    def test_a_full_disk_is_an_error(self):
        with open("/dev/full", "wb") as full:
            result = subprocess.run([PROGRAM, "run", PHI, "hi"], stdin=subprocess.DEVNULL, stdout=full,
                                    stderr=subprocess.PIPE, timeout=60)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"Error: cannot write to standard output", result.stderr)


class Tools(unittest.TestCase):
    CALL = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": {"city": "Oslo"}}}

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.tools = self.write("tools.json", [{"type": "function", "function": {"name": "get_weather"}}])

    def write(self, name, value):
        path = Path(self.folder.name, name)
        path.write_text(json.dumps(value))
        return str(path)

    def test_a_call_is_a_line_or_an_object(self):
        code, out, err = run("run", PHI, "--tools", self.tools, "use a tool")
        self.assertEqual((code, out, err), (0, f'{PHI} answers: use a tool\ncalls get_weather {{"city": "Oslo"}}\n', ""))
        answer = json.loads(run("run", PHI, "--tools", self.tools, "--json", "use a tool")[1])
        self.assertEqual((answer["finish"], answer["tool_calls"]), ("tool_calls", [self.CALL]))
        without = json.loads(run("run", PHI, "--json", "use a tool")[1])
        self.assertEqual((without["finish"], without["tool_calls"]), ("stop", []))

    def test_results_are_lines_of_a_conversation(self):
        lines = b"use a tool\n/tool \"3 C\\nrain\"\n/tool again\n"
        code, out, err = run("run", PHI, "--tools", self.tools, "--chat", "--json", stdin=lines)
        self.assertEqual(code, 1)
        self.assertEqual(err, "Error: no call of a tool waits for a result\n")
        self.assertEqual([json.loads(line)["answer"] for line in out.splitlines()],
                         [f"{PHI} answers: use a tool", f"{PHI} answers: 3 C\nrain"])

    def test_messages_that_end_with_a_result_need_no_prompt(self):
        messages = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "", "tool_calls": [self.CALL]},
                    {"role": "tool", "content": "3 C"}]
        path = self.write("messages.json", {"messages": messages})
        self.assertEqual(run("run", PHI, "--messages", path), (0, f"{PHI} answers: 3 C\n", ""))
        self.assertEqual(run("run", PHI, "--messages", path, "go on"), (0, f"{PHI} answers: go on\n", ""))
        code, _, err = run("run", PHI, "--messages", self.write("a.json", messages[:2]))
        self.assertEqual(code, 2)
        self.assertIn("there is no prompt", err)
        code, _, err = run("run", PHI, "--messages", path, "--system", "s")
        self.assertEqual(code, 2)
        self.assertIn("--system and --messages exclude each other", err)
        with_tools = self.write("t.json", {"messages": [{"role": "user", "content": "use a tool"}],
                                           "tools": [{"name": "get_weather"}]})
        self.assertIn("calls get_weather", run("run", PHI, "--messages", with_tools)[1])

    def test_a_missing_file_is_an_error(self):
        for option in ("--tools", "--messages"):
            code, out, err = run("run", PHI, option, "/nonsense", "hi")
            self.assertEqual((code, out), (1, ""))
            self.assertEqual(err, "Error: cannot open '/nonsense': No such file or directory\n")

    def test_compare_shows_calls_in_their_columns(self):
        code, out, _ = run("compare", QWEN, PHI, "--tools", self.tools, "--prompt", "use a tool")
        self.assertEqual(code, 0)
        self.assertEqual(out.count('\n[calls get_weather {"city": "Oslo"}]\n'), 2)
        columns = json.loads(run("compare", QWEN, PHI, "--json", "--tools", self.tools, "use", "a", "tool")[1])["columns"]
        self.assertEqual([c["tool_calls"] for c in columns], [[self.CALL], [self.CALL]])

    def test_a_prompts_file_has_tools_beside_its_prompts(self):
        tools = [{"name": "get_weather"}]
        prompts = self.write("p.jsonl", "")
        lines = [{"messages": [{"role": "user", "content": "use a tool"}], "tools": tools},
                 {"prompt": "use a tool", "tools": {"tools": tools}}, "use a tool", {"prompt": "a tool", "tools": []}]
        Path(prompts).write_text("\n".join(json.dumps(line) for line in lines))
        report = self.write("report.md", "")
        code, out, _ = run("compare", QWEN, PHI, "--json", "--prompts", prompts, "--report", report)
        self.assertEqual(code, 0)
        calls = [[c["tool_calls"] for c in prompt["columns"]] for prompt in json.loads(out)["prompts"]]
        self.assertEqual(calls, [[[self.CALL]] * 2] * 2 + [[[], []]] * 2)
        self.assertEqual([m["cut_answers"] for m in json.loads(out)["medians"]], [0, 0])
        text = Path(report).read_text()
        self.assertEqual(text.count('<br>\\[calls get\\_weather {"city": "Oslo"}\\]'), 4)
        code, out, _ = run("compare", QWEN, PHI, "--json", "--prompts", prompts, "--tools", self.tools)
        self.assertTrue(all(c["tool_calls"] for prompt in json.loads(out)["prompts"] for c in prompt["columns"]))
        Path(prompts).write_text('{"prompt": "a", "tools": [}')
        code, _, err = run("compare", QWEN, PHI, "--prompts", prompts)
        self.assertEqual(code, 1)
        self.assertIn(f"{prompts}:1: not valid JSON", err)


class Compare(unittest.TestCase):
    def test_models_end_where_the_prompt_begins(self):
        code, out, _ = run("compare", QWEN + "@nothink", PHI, "a", "b", "--json", "--seed", "3")
        self.assertEqual(code, 0)
        comparison = json.loads(out)
        self.assertEqual((comparison["prompt"], comparison["seed"]), ("a b", 3))
        self.assertEqual([c["label"] for c in comparison["columns"]], [QWEN + "@nothink", PHI])
        self.assertFalse(comparison["columns"][0]["thinking"])

    def test_a_pipe_gets_one_answer_after_the_other(self):
        code, out, _ = run("compare", QWEN, PHI, "--prompt", "hi")
        self.assertEqual(code, 0)
        self.assertTrue(out.startswith(f"== {QWEN} ==\n{QWEN} answers: hi\n\n== {PHI} ==\n{PHI} answers: hi\n\n"))
        for figure in ("first token", "prefill", "decode", "thinking", "answer", "memory", "finish"):
            self.assertIn(f"\n  {figure} ", out)

    def test_one_model_is_wrong_usage(self):
        code, _, err = run("compare", QWEN, "hello there")
        self.assertEqual(code, 2)
        self.assertIn("at least two models", err)

    def test_a_slip_in_a_name_is_named(self):
        code, _, err = run("compare", "qwen3.5:dmeo", PHI, "hello there")
        self.assertEqual(code, 2)
        self.assertIn("did you mean 'qwen3.5:demo'?", err)

    def test_a_slip_in_a_setting_is_named(self):
        code, _, err = run("compare", QWEN + "@thnik", PHI, "hi")
        self.assertEqual(code, 2)
        self.assertIn("did you mean 'think'?", err)

    def test_an_error_stands_in_place_of_the_answer(self):
        code, out, _ = run("compare", QWEN, PHI, "fail")
        self.assertEqual(code, 1)
        self.assertIn("[Error: the prompt has 9 tokens; 8 fit]", out)


class PromptsFile(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.prompts = Path(self.folder.name, "mine.jsonl")
        self.report = Path(self.folder.name, "out.md")

    def compare(self, *arguments):
        return run("compare", PHI, PHI + "@max-tokens=2", "--prompts", str(self.prompts), *arguments)

    def test_a_report_holds_answers_medians_and_differences(self):
        self.prompts.write_text('"one"\n{"prompt": "two | three"}\n')
        code, out, err = self.compare("--report", str(self.report))
        self.assertEqual(code, 0)
        self.assertIn("the answers differ for 2 of 2 prompts: 1, 2", out)
        self.assertEqual(err, "prompt 1 of 2\nprompt 2 of 2\n")
        report = self.report.read_text()
        for part in ("## Medians", "## Differences", "### Prompt 2 (answers differ)", "> two \\| three", "first token"):
            self.assertIn(part, report)

    def test_a_bad_line_stops_everything_before_it_starts(self):
        self.prompts.write_text('"one"\n[1]\n')
        code, out, err = self.compare("--report", str(self.report))
        self.assertEqual((code, out), (1, ""))
        self.assertTrue(err.startswith(f"Error: {self.prompts}:2: a prompt is"))
        self.assertFalse(self.report.exists())

    def test_a_report_that_cannot_be_written_stops_everything_before_it_starts(self):
        self.prompts.write_text('"one"\n')
        code, out, err = self.compare("--report", str(Path(self.folder.name, "missing", "out.md")))
        self.assertEqual((code, out), (1, ""))
        self.assertEqual(len(err.splitlines()), 1)

    def test_json_holds_every_prompt_and_the_medians(self):
        self.prompts.write_text('"one"\n"two"\n')
        code, out, _ = self.compare("--json")
        whole = json.loads(out)
        self.assertEqual(code, 0)
        self.assertEqual([item["prompt"] for item in whole["prompts"]], ["one", "two"])
        self.assertEqual(len(whole["prompts"][0]["columns"]), 2)
        self.assertEqual(whole["medians"][1]["answer_tokens"], 2)
        self.assertEqual(whole["differing"], [1, 2])


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()
