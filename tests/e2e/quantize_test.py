#!/usr/bin/env python3
"""What people do with quantize that goes wrong: nothing half valid is left, and the reason is one line.

usage: quantize_test.py PATH/TO/tandem SOURCE_DIR
"""
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

TANDEM, SOURCE = sys.argv.pop(1), Path(sys.argv.pop(1))
DEMO = SOURCE / "assets/demo/qwen3.5-demo.gguf"


def run(*arguments, **options):
    done = subprocess.run([TANDEM, *map(str, arguments)], capture_output=True, text=True, timeout=120, **options)
    return done.returncode, done.stdout, done.stderr


@unittest.skipUnless(DEMO.is_file(), "the demo models are not here")
class Quantize(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = Path(self.folder.name)
        self.source = self.path / "f32.gguf"
        code, _, err = run("convert", DEMO, "-o", self.source, "--type", "f32")
        self.assertEqual(code, 0, err)

    def refused(self, *arguments, **options):
        before = sorted(p.name for p in self.path.iterdir())
        code, _, err = run("quantize", *arguments, **options)
        self.assertEqual(code, 1, err)
        self.assertEqual(len(err.splitlines()), 1, err)
        self.assertTrue(err.startswith("Error: "), err)
        self.assertEqual(sorted(p.name for p in self.path.iterdir()), before)
        return err

    def test_what_it_makes_answers(self):
        code, out, err = run("quantize", self.source, self.path / "q4.gguf", "q4_k_m")
        self.assertEqual(code, 0, err)
        self.assertIn("Q4_K", out + err)
        code, out, err = run("run", self.path / "q4.gguf", "hello", "--think=false", "--max-tokens", "5",
                             "--temperature", "0")
        self.assertEqual(code, 0, err)
        self.assertTrue(out.strip())

    def test_a_quantised_source_needs_permission(self):
        out = self.path / "q4.gguf"
        self.assertIn("--allow-requantize", self.refused(DEMO, out, "Q4_0"))
        self.assertEqual(run("quantize", DEMO, out, "Q4_0", "--allow-requantize")[0], 0)

    def test_the_source_is_not_replaced(self):
        bytes_before = self.source.read_bytes()
        self.assertIn("is the source itself", self.refused(self.source, self.source, "Q4_0"))
        link = self.path / "link.gguf"
        link.symlink_to(self.source)
        self.refused(self.source, link, "Q4_0")
        self.assertEqual(self.source.read_bytes(), bytes_before)
        code, _, err = run("convert", self.source, "-o", self.source, "--type", "q8_0")
        self.assertEqual((code, "is the source itself" in err), (1, True))

    def test_a_full_disk_leaves_nothing(self):
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

        self.refused(self.source, self.path / "q4.gguf", "Q4_K_M", preexec_fn=limit)

    def test_a_killed_one_leaves_nothing(self):
        out = self.path / "q6.gguf"
        before = sorted(p.name for p in self.path.iterdir())
        for delay in (0.0, 0.02, 0.05, 0.1):
            process = subprocess.Popen([TANDEM, "quantize", self.source, out, "Q6_K"], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
            time.sleep(delay)
            os.kill(process.pid, signal.SIGKILL)
            if process.wait() == 0:  # it was faster
                out.unlink()
            elif out.exists():  # killed after its last act
                self.assertEqual(run("show", out)[0], 0)
                out.unlink()
            # Where a file cannot be made without a name, a hidden one may stay; it is never the output's.
            self.assertEqual([n for n in sorted(p.name for p in self.path.iterdir()) if not n.startswith(".")], before)

    def test_special_tokens_in_a_text_count_as_such_when_asked(self):
        text = self.path / "chat.txt"
        text.write_text("<|im_start|>user\nhello<|im_end|>\n" * 8)
        tokens = []
        for extra in ([], ["--special"]):
            code, out, err = run("perplexity", self.source, text, "--window", "16", "--json", *extra)
            self.assertEqual(code, 0, err)
            tokens.append(json.loads(out)["tokens"])
            code, out, err = run("kl", self.source, self.source, text, "--window", "16", "--json", *extra)
            self.assertEqual((code, json.loads(out)["kl"]["max"]), (0, 0.0), err)
        self.assertLess(tokens[1], tokens[0] - 8)

    def test_bad_input(self):
        self.refused(self.path / "none.gguf", self.path / "o.gguf", "Q4_K_M")
        self.assertIn("known: ", self.refused(self.source, self.path / "o.gguf", "Q4_X"))
        cut = self.path / "cut.gguf"
        cut.write_bytes(self.source.read_bytes()[:100_000])
        self.refused(cut, self.path / "o.gguf", "Q4_K_M")


if __name__ == "__main__":
    unittest.main()
