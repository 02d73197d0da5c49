#!/usr/bin/env python3
"""Holds what `tandem fit` predicts against what `tandem run` takes, and looks at `tandem check`.

usage: fit_test.py PATH/TO/tandem                              the demo models, as a test
       fit_test.py PATH/TO/tandem MODEL.gguf [CONTEXT...]      a table for docs/models.md, caches really filled
"""
import json
import os
import resource
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TANDEM = ""
DEMOS = ("qwen3.5:demo", "phi4-mini:demo")
MEGABYTE = 10**6


def run(*args, data=b""):
    return subprocess.run([TANDEM, *args], input=data, capture_output=True, timeout=3000)


def predicted(model, context):
    done = run("fit", model, "--ctx", str(context), "--threads", "2", "--ram", "1000g", "--json")
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    row = json.loads(done.stdout)["models"][0]["table"][0]
    return row["total_bytes"] - row["vision_bytes"]  # no picture is looked at


def prompt_of(model, tokens):
    """Words that fill a context, but for the template and an answer of a few tokens."""
    words = "one two three four five six seven eight nine ten ".split()
    for_one = len(json.loads(run("tokenize", model, data=" ".join(words * 10).encode()).stdout)) / 100
    return " ".join((words * (tokens // 10 + 1))[:int((tokens - 100) / for_one)])


def measured(model, context):
    """The peak resident size of a process whose cache is filled, and how full it was."""
    command = [TANDEM, "run", model, "--ctx", str(context), "--threads", "2", "--max-tokens", "16", "--json"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(prompt_of(model, context).encode())
    process.stdin.close()
    with process.stdout, process.stderr:
        output, errors = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise AssertionError(errors)
    figures = json.loads(output)["figures"]
    filled = figures["prompt_tokens"] + figures["reasoning_tokens"] + figures["answer_tokens"]
    return usage.ru_maxrss * 1024, filled


class Fit(unittest.TestCase):
    @unittest.skipIf(os.environ.get("TANDEM_SANITIZER"), "a sanitizer takes memory of its own")
    def test_prediction_against_peak_memory(self):
        for model in DEMOS:
            for context in (1024, 8192, 24576):
                with self.subTest(model=model, context=context):
                    expected, (peak, filled) = predicted(model, context), measured(model, context)
                    self.assertGreater(filled, 0.85 * context)
                    self.assertLessEqual(abs(expected - peak), max(0.03 * peak, 16 * MEGABYTE),
                                         f"predicted {expected}, measured {peak}")

    def test_table_and_verdict(self):
        done = run("fit", *DEMOS, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        result = json.loads(done.stdout)
        self.assertEqual([m["model"] for m in result["models"]], list(DEMOS))
        for model in result["models"]:
            contexts = [row["context"] for row in model["table"]]
            self.assertEqual(contexts[0], 4096)
            self.assertEqual(contexts[-1], model["context_limit"])
            totals = [row["total_bytes"] for row in model["table"]]
            self.assertEqual(totals, sorted(totals))
        alone = sum(next(r["total_bytes"] for r in m["table"] if r["context"] == 32768) for m in result["models"])
        self.assertEqual(result["together"]["context"], 32768)
        self.assertLess(result["together"]["total_bytes"], alone)
        text = run("fit", DEMOS[1], "--ram", "2g").stdout.decode()
        self.assertIn("fits", text)
        self.assertIn("longest context that fits: ", text)

    def test_what_does_not_fit(self):
        done = run("fit", DEMOS[1], "--ram", "20m")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"no context fits", done.stdout)
        big = run("fit", DEMOS[1], "--ctx", "128k", "--ram", "50m", "--json")
        self.assertEqual(big.returncode, 1)
        self.assertLess(json.loads(big.stdout)["models"][0]["largest_context"], 131072)

    def test_kv_format_and_conversations(self):
        def cache(*options):
            done = run("fit", DEMOS[1], "--ctx", "8k", "--json", *options)
            return json.loads(done.stdout)["models"][0]["table"][0]["cache_bytes"]
        self.assertEqual(cache("--parallel", "3"), 3 * cache())
        self.assertLess(cache("--kv", "q8_0"), 0.6 * cache())

    def test_wrong_options(self):
        for options, code in ((["--ram", "much"], 2), (["--ctx", "0"], 2), (["--parallel", "0"], 2),
                              (["--ctx", "1m"], 1), (["--kv", "q1"], 1)):
            done = run("fit", DEMOS[0], *options)
            self.assertEqual(done.returncode, code, done)
            self.assertTrue(done.stderr.startswith(b"Error: "), done)


class Check(unittest.TestCase):
    def test_sound_models(self):
        for model in DEMOS:
            done = run("check", model, "--json")
            self.assertEqual(done.returncode, 0, done.stdout)
            report = json.loads(done.stdout)
            self.assertTrue(report["ok"])
            self.assertEqual([item["name"] for item in report["items"]],
                             ["file", "layout", "metadata", "tensors", "tokenizer", "template", "numbers", "token ids",
                              "perplexity", "answers", "speed", "memory"])

    def test_files_that_are_damaged(self):
        whole = (Path(__file__).resolve().parents[2] / "assets/demo/phi4-mini-demo.gguf").read_bytes()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "m.gguf")
            for name, data in (("cut", whole[:-100]), ("nothing", b"GGUF"), ("nan", whole[:-4000] + b"\xff" * 4000)):
                path.write_bytes(data)
                done = run("check", str(path), "--quick")
                self.assertEqual(done.returncode, 1, (name, done.stdout))
                self.assertIn(b"FAILED", done.stdout, name)
                self.assertIn(b"Something FAILED.", done.stdout, name)
            path.write_bytes(whole)
            done = run("check", str(path), "--quick")
            self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(run("check", "/nowhere.gguf").returncode, 1)


def print_table(model, contexts):
    print("| context | filled | predicted | measured | difference |\n|---|---|---|---|---|")
    for context in contexts:
        expected, (peak, filled) = predicted(model, context), measured(model, context)
        print(f"| {context} | {filled} | {expected / 1e6:,.0f} MB | {peak / 1e6:,.0f} MB "
              f"| {100 * (expected - peak) / peak:+.1f} % |", flush=True)


if __name__ == "__main__":
    TANDEM = sys.argv.pop(1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-") and Path(sys.argv[1]).exists():
        print_table(sys.argv[1], [int(c) for c in sys.argv[2:]] or [1024, 4096, 16384])
    else:
        unittest.main()
