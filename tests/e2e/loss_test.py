#!/usr/bin/env python3
"""What the quantised paths lose, on the demo models: the logits of int8 products and of small caches against float.

usage: loss_test.py PATH/TO/tandem SOURCE_DIR
"""
import json
import random
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TANDEM, SOURCE = sys.argv.pop(1), Path(sys.argv.pop(1))
sys.path.insert(0, str(SOURCE / "python/train_demo"))
from tasks import MIX, make, with_context  # noqa: E402

CONVERSATIONS = 40
# Mean KL against float logits. Conversations are read alone, as the models are used. In a row, which they never learnt,
# their answers are unlike anything, and the Phi demo's hang on every rounding (llama.cpp's too: docs/quantize.md).
MOST_PRODUCTS = 1e-3
MOST_PRODUCTS_IN_A_ROW = {"qwen3.5": 1e-3, "phi4-mini": 6e-3}
MOST_CACHES = {"qwen3.5": {"f16": 1e-6, "q8_0": 1e-4, "q4_0": 1e-2}, "phi4-mini": {"f16": 1e-5, "q8_0": 2e-3, "q4_0": 0.3}}
DEMOS = {"qwen3.5": SOURCE / "assets/demo/qwen3.5-demo.gguf", "phi4-mini": SOURCE / "assets/demo/phi4-mini-demo.gguf"}


def run(*arguments):
    done = subprocess.run([TANDEM, *map(str, arguments)], capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return done.stdout


def conversations(family):
    """Of the kind that the demo models learnt, but kept out of training; other text leaves them undecided."""
    rng = random.Random(family)
    names, weights = list(MIX), list(MIX.values())
    for _ in range(CONVERSATIONS):
        yield with_context(rng, make(rng, rng.choices(names, weights)[0], family, True), family)


def divergence(base, model, text, *options):
    cut = ["--jsonl"] if text.suffix == ".jsonl" else ["--window", "256"]
    report = json.loads(run("kl", base, model, text, "--special", *cut, "--json", *options))
    return report["kl"]["mean"], report["same_top_token"]["mean"]


@unittest.skipUnless(all(demo.is_file() for demo in DEMOS.values()), "the demo models are not here")
class Loss(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.exact = {name: Path(cls.folder.name, name + ".gguf") for name in DEMOS}
        cls.text = {name: Path(cls.folder.name, name + ".txt") for name in DEMOS}
        cls.alone = {name: Path(cls.folder.name, name + ".jsonl") for name in DEMOS}
        messages = Path(cls.folder.name, "messages.json")
        for name, demo in DEMOS.items():
            run("convert", demo, "-o", cls.exact[name], "--type", "f32")
            parts = []
            for conversation in conversations(name):
                messages.write_text(json.dumps(conversation.messages()))
                end = "<|im_end|>\n" if name == "qwen3.5" else "<|end|>"
                parts.append(run("render", demo, "--messages", messages, "--think", "false") + conversation.answer + end)
            cls.text[name].write_text("".join(parts))
            cls.alone[name].write_text("".join(json.dumps(part) + "\n" for part in parts))

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_q8_0_products_stay_near_float(self):
        for name, exact in self.exact.items():
            for text, most in ((self.alone[name], MOST_PRODUCTS), (self.text[name], MOST_PRODUCTS_IN_A_ROW[name])):
                mean, same = divergence(exact, DEMOS[name], text, "--kv", "f32")
                print(f"{text.name} q8_0: KL {mean:.6f}, same top token {same:.4f}", file=sys.stderr)
                self.assertGreater(mean, 0)
                self.assertLess(mean, most, text.name)
                self.assertGreater(same, 0.97, text.name)

    def test_texts_of_a_list_are_checked(self):
        path = Path(self.folder.name, "bad.jsonl")
        for content, message in (("", "has no texts"), ('"good"\n{}\n', "line 2 is not a JSON string"),
                                 ('"good enough"\n\n""\n', "text 2 has 0 tokens"), ("x\n", "line 1")):
            path.write_text(content)
            done = subprocess.run([TANDEM, "perplexity", DEMOS["phi4-mini"], path, "--jsonl"], capture_output=True,
                                  text=True, timeout=60)
            self.assertNotEqual(done.returncode, 0, content)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
            self.assertIn(message, done.stderr)

    def test_smaller_caches_lose_more_but_little(self):
        for name, exact in self.exact.items():
            losses = {kv: divergence(exact, exact, self.text[name], "--base-kv", "f32", "--kv", kv)[0]
                      for kv in ("f16", "q8_0", "q4_0")}
            print(f"{name} caches: KL {losses}", file=sys.stderr)
            self.assertLess(losses["f16"], losses["q8_0"], name)
            self.assertLess(losses["q8_0"], losses["q4_0"], name)
            for kv, most in MOST_CACHES[name].items():
                self.assertLess(losses[kv], most, f"{name} {kv}")


if __name__ == "__main__":
    unittest.main()
