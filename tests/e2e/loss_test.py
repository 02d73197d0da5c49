#!/usr/bin/env python3
"""What the quantised paths lose, on the demo models: the logits of int8 products and of small caches against float.

usage: loss_test.py PATH/TO/tandem SOURCE_DIR
"""
import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TANDEM, SOURCE = sys.argv.pop(1), Path(sys.argv.pop(1))
DEMOS = {"qwen3.5": SOURCE / "assets/demo/qwen3.5-demo.gguf", "phi4-mini": SOURCE / "assets/demo/phi4-mini-demo.gguf"}
TEXT = SOURCE / "CONTRIBUTING.md"


def run(*arguments):
    done = subprocess.run([TANDEM, *map(str, arguments)], capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return done.stdout


def divergence(base, model, *options):
    report = json.loads(run("kl", base, model, TEXT, "--window", "256", "--json", *options))
    return report["kl"]["mean"], report["same_top_token"]["mean"]


@unittest.skipUnless(all(demo.is_file() for demo in DEMOS.values()), "the demo models are not here")
class Loss(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.exact = {name: Path(cls.folder.name, name + ".gguf") for name in DEMOS}
        for name, demo in DEMOS.items():
            run("convert", demo, "-o", cls.exact[name], "--type", "f32")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_q8_0_products_stay_near_float(self):
        for name, exact in self.exact.items():
            mean, same = divergence(exact, DEMOS[name], "--kv", "f32")
            print(f"{name} q8_0: KL {mean:.6f}, same top token {same:.4f}", file=sys.stderr)
            self.assertGreater(mean, 0)
            self.assertLess(mean, 1e-3, name)
            self.assertGreater(same, 0.98, name)

    def test_smaller_caches_lose_more_but_little(self):
        for name, exact in self.exact.items():
            losses = [divergence(exact, exact, "--base-kv", "f32", "--kv", kv)[0] for kv in ("f16", "q8_0", "q4_0")]
            print(f"{name} caches f16, q8_0, q4_0: KL {losses}", file=sys.stderr)
            self.assertEqual(losses, sorted(losses), name)
            self.assertLess(losses[0], 1e-6, name)
            self.assertLess(losses[1], 1e-3, name)
            self.assertLess(losses[2], 0.1, name)


if __name__ == "__main__":
    unittest.main()
