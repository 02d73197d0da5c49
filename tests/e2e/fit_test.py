#!/usr/bin/env python3
"""Holds what `tandem fit` predicts against what `tandem run` takes, and looks at `tandem check`.

usage: fit_test.py PATH/TO/tandem                              the demo models, as a test
       fit_test.py PATH/TO/tandem MODEL.gguf [CONTEXT...]      a table for docs/memory.md, caches really filled
"""
import json
import os
import resource
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from gguf_file import ARRAY, STRING, Gguf

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
                              (["--ctx", "1m"], 1), (["--kv", "q1"], 2)):
            done = run("fit", DEMOS[0], *options)
            self.assertEqual(done.returncode, code, done)
            self.assertTrue(done.stderr.startswith(b"Error: "), done)


    def alone(self, *args):
        """On a machine without any model."""
        with tempfile.TemporaryDirectory() as home:
            return subprocess.run([TANDEM, *args], capture_output=True, timeout=300,
                                  env={**{k: v for k, v in os.environ.items() if "SAN_" in k}, "HOME": home})

    def test_models_that_are_not_here(self):
        done = self.alone("fit", "qwen3.5:4b", "qwen3.5:9b", "phi4-mini:q8_0", "phi4-mini-reasoning", "--ram", "1000g", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        qwen, large, phi, thinker = json.loads(done.stdout)["models"]
        self.assertEqual([m["size_source"] for m in (qwen, large, phi, thinker)],
                         ["published", "computed", "computed", "computed"])
        self.assertEqual(qwen["table"][0]["weights_bytes"], 2_740_000_000)
        by_context = {row["context"]: row for row in qwen["table"]}
        self.assertEqual(list(by_context), [2**n for n in range(12, 20)] + [1_010_000])  # on to what YaRN reaches
        self.assertEqual(by_context[32768]["cache_bytes"], 2**30)  # 32 KiB a token
        self.assertEqual(by_context[32768]["state_bytes"], 2 * 52_690_944)  # and a snapshot
        self.assertEqual(qwen["largest_context"], 262144)
        self.assertAlmostEqual(large["table"][0]["weights_bytes"], 5.6e9, delta=0.4e9)
        self.assertAlmostEqual(phi["table"][0]["weights_bytes"], 4.08e9, delta=0.05e9)
        self.assertEqual(phi["table"][-1]["context"], 131072)
        self.assertEqual(phi["table"][3]["cache_bytes"], 4 * 2**30)

    def test_models_that_are_not_here_in_words(self):
        text = self.alone("fit", "--ram", "6g").stdout.decode()  # without a name: both of the comparison
        self.assertIn("qwen3.5:4b  Q4_K_M, 4.21 B parameters", text)
        self.assertIn("phi4-mini  Q4_K_M, 3.84 B parameters", text)
        self.assertIn("not here; shape and size as published; vision file not counted", text)
        self.assertIn("needs YaRN", text)
        self.assertIn("Together at 32,768 tokens", text)
        self.assertLessEqual(max(map(len, text.splitlines())), 80)
        self.assertIn("#", text)
        for name, words in (("qwen3.5:4b-q9_9", "q9_9"), ("nothing:here", "neither a file nor a known model")):
            done = self.alone("fit", name)
            self.assertEqual(done.returncode, 1, done)
            self.assertIn(words, done.stderr.decode().lower())


class Show(unittest.TestCase):
    def show(self, *args):
        with tempfile.TemporaryDirectory() as home:
            done = subprocess.run([TANDEM, "show", *args], capture_output=True, timeout=300,
                                  env={**{k: v for k, v in os.environ.items() if "SAN_" in k}, "HOME": home})
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.decode()

    FACTS = ("model", "architecture", "parameters", "context limit", "developer", "released", "licence", "languages", "modalities",
             "thinking", "longest context", "downloads")

    def test_side_by_side_from_the_catalogue(self):
        qwen, phi = json.loads(self.show("qwen3.5:4b", "phi4-mini", "--json"))
        for model in (qwen, phi):
            self.assertEqual(set(model["publication"]), set(self.FACTS))
            self.assertEqual({fact["source"] for fact in model["publication"].values()}, {"catalogue"})
            self.assertFalse(model["installed"])
        self.assertEqual(qwen["publication"]["licence"]["value"], "Apache-2.0")
        self.assertEqual(phi["publication"]["thinking"]["value"], "never")
        self.assertIn("Q4_K_M 2.74 GB", qwen["publication"]["downloads"]["value"])
        text = self.show("qwen3.5:4b", "phi4-mini")
        for fact in self.FACTS:
            self.assertRegex(text, rf"(?m)^\s*{fact}\b")
        self.assertIn("(catalogue)", text)

    def test_what_a_file_says_is_its_own(self):
        source = Gguf.read(Path(__file__).resolve().parents[2] / "tests/data/vision/model.gguf")
        source.set("general.name", STRING, "Qwen3.5-4B")
        source.set("general.license", STRING, "own-licence")
        source.set("general.languages", ARRAY, (STRING, ["en", "de"]))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "m.gguf")
            source.write(path)
            sheet = json.loads(self.show(str(path), "--json"))
            text = self.show(str(path), "phi4-mini:demo")
        facts = sheet["publication"]
        self.assertEqual(facts["licence"], {"value": "own-licence", "source": "file"})
        self.assertEqual(facts["languages"], {"value": "en, de", "source": "file"})
        self.assertEqual(facts["released"]["source"], "catalogue")
        self.assertTrue(sheet["installed"])
        self.assertNotIn("own-licence (catalogue)", text)
        for words in ("embedding", "DeltaNet", "F32", "eos token", "<|im_end|>", "chat template", "with a thinking switch"):
            self.assertIn(words, text)


class Check(unittest.TestCase):
    def test_sound_models(self):
        for model in DEMOS:
            done = run("check", model, "--json")
            self.assertEqual(done.returncode, 0, done.stdout)
            report = json.loads(done.stdout)
            self.assertTrue(report["ok"])
            self.assertEqual([item["name"] for item in report["items"]],
                             ["file", "layout", "metadata", "tensors", "tokenizer", "template", "numbers",
                              *(["vision"] if model.startswith("qwen") else []), "token ids", "perplexity", "answers",
                              "speed", "memory"])

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
