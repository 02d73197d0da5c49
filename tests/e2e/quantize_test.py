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

from gguf_file import STRING, Gguf, f32

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

    def names(self):
        return sorted(p.name for p in self.path.iterdir())

    def refused(self, *arguments, code=1, **options):
        """Runs quantize and returns its one line; nothing in the folder has changed."""
        before = self.names()
        got, out, err = run("quantize", *arguments, **options)
        self.assertEqual((got, out), (code, ""), err)
        self.assertEqual(len(err.splitlines()), 1, err)
        self.assertTrue(err.startswith("Error: "), err)
        self.assertEqual(self.names(), before)
        return err

    def odd_rows(self):
        """A file with rows of 256, 96 and 40 values."""
        file = Gguf()
        file.set("general.architecture", STRING, "llama")
        for name, length in (("token_embd", 256), ("blk.0.attn_q", 256), ("blk.0.attn_k", 96), ("blk.0.ffn_down", 40)):
            file.tensors[f"{name}.weight"] = f32((length, 8), [(i % 17 - 8) / 8 for i in range(8 * length)])
        file.tensors["output_norm.weight"] = f32((256,), [1.0] * 256)
        path = self.path / "odd.gguf"
        file.write(path)
        return path

    def importance(self, entries):
        """An importance matrix: name -> number of inputs."""
        file = Gguf()
        file.set("general.type", STRING, "imatrix")
        for name, inputs in entries.items():
            file.tensors[name + ".in_sum2"] = f32((inputs, 1), [1.0] * inputs)
            file.tensors[name + ".counts"] = f32((1, 1), [1.0])
        path = self.path / "i.gguf"
        file.write(path)
        return path

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
        err = self.refused(DEMO, out, "Q4_0")
        self.assertRegex(err, r"tensor '\S+' is Q8_0 already, and what that lost would be lost twice")
        self.assertIn("--allow-requantize", err)
        self.assertEqual(run("quantize", DEMO, out, "Q4_0", "--allow-requantize")[0], 0)
        self.assertEqual(run("show", out)[0], 0)

    def test_rows_that_no_block_divides_get_the_nearest_type_and_it_says_so(self):
        source, out = self.odd_rows(), self.path / "out.gguf"
        lines = ["blk.0.attn_k.weight is Q5_0 instead of Q4_K: its rows of 96 are no whole number of blocks",
                 "blk.0.ffn_down.weight is F16 instead of Q6_K: its rows of 40 are no whole number of blocks"]
        for extra in (["--dry-run"], []):
            code, _, err = run("quantize", source, out, "Q4_K_M", *extra)
            self.assertEqual(code, 0, err)
            for line in lines:
                self.assertIn(line, err.splitlines())
            self.assertEqual(out.exists(), not extra)
        types = {name: tensor.type for name, tensor in Gguf.read(out).tensors.items()}
        self.assertEqual(types, {"token_embd.weight": 14, "blk.0.attn_q.weight": 12, "blk.0.attn_k.weight": 6,
                                 "blk.0.ffn_down.weight": 1, "output_norm.weight": 0})

    def test_the_source_is_not_replaced(self):
        bytes_before = self.source.read_bytes()
        self.assertIn("is the source itself", self.refused(self.source, self.source, "Q4_0"))
        link = self.path / "link.gguf"
        link.symlink_to(self.source)
        self.refused(self.source, link, "Q4_0")
        self.assertEqual(self.source.read_bytes(), bytes_before)
        code, _, err = run("convert", self.source, "-o", self.source, "--type", "q8_0")
        self.assertEqual((code, "is the source itself" in err), (1, True))

    def test_a_file_that_may_not_grow_leaves_nothing(self):
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

        err = self.refused(self.source, self.path / "q4.gguf", "Q4_K_M", preexec_fn=limit)
        self.assertIn("q4.gguf", err)
        self.assertIn("File too large", err)

    def test_a_full_disk_leaves_nothing(self):
        folder = self.path / "disk"
        folder.mkdir()
        script = ('mount -t tmpfs -o size=1m none "$1" || exit 77; "$2" quantize "$3" "$1/q4.gguf" Q4_K_M; code=$?; '
                  'ls -A "$1"; exit $code')
        done = subprocess.run(["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", folder, TANDEM,
                               self.source], capture_output=True, text=True, timeout=120)
        if "unshare" in done.stderr or done.returncode == 77:
            self.skipTest("a disk of one megabyte cannot be had here")
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        self.assertRegex(done.stderr, r"^Error: .*q4\.gguf.*No space left on device\n$")

    def written(self, process):
        """Bytes that are in the output that has no name yet."""
        try:
            files = [os.stat(f.path).st_size for f in os.scandir(f"/proc/{process.pid}/fd")
                     if str(self.path) in os.readlink(f.path) and "big.gguf" not in os.readlink(f.path)]
            return max(files, default=0)
        except OSError:  # gone meanwhile
            return 0

    def test_a_killed_one_leaves_nothing(self):
        # A gigabyte of zeros that takes no room and a while to read.
        file, big, out = Gguf(), self.path / "big.gguf", self.path / "q6.gguf"
        file.set("general.architecture", STRING, "llama")
        file.tensors["token_embd.weight"] = f32((4096, 1 << 16), [])
        file.write(big)
        os.truncate(big, big.stat().st_size + (1 << 30))
        before = self.names()
        process = subprocess.Popen([TANDEM, "quantize", big, out, "Q6_K", "--threads", "1"], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        while process.poll() is None and self.written(process) < 1 << 20:
            time.sleep(0.001)
        os.kill(process.pid, signal.SIGKILL)
        self.assertEqual(process.wait(), -signal.SIGKILL, "it was done before it could be killed")
        self.assertFalse(out.exists())
        # Where a file cannot be made without a name, a hidden one may stay; it is never the output's.
        self.assertEqual([name for name in self.names() if not name.startswith(".")], before)
        code, _, err = run("quantize", self.source, out, "Q6_K")
        self.assertEqual(code, 0, err)
        self.assertEqual(run("show", out)[0], 0)

    def test_what_is_killed_at_any_moment_is_whole_or_not_there(self):
        out = self.path / "q6.gguf"
        for delay in (0.0, 0.01, 0.02, 0.05, 0.1):
            process = subprocess.Popen([TANDEM, "quantize", self.source, out, "Q6_K"], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
            time.sleep(delay)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            if out.exists():  # it was faster, or killed after its last act
                self.assertEqual(run("show", out)[0], 0)
                out.unlink()

    def test_an_importance_matrix_of_another_model(self):
        out = self.path / "o.gguf"

        def with_it(file):
            return self.refused(self.source, out, "Q4_K_M", "--imatrix", file)

        err = with_it(self.importance({"blk.0.other.weight": 64}))
        self.assertIn("has no entry for any tensor of", err)
        self.assertIn("it was made for another model", err)
        err = with_it(self.importance({"token_embd.weight": 64, "blk.0.ffn_down.weight": 64}))
        self.assertRegex(err, r"entry 'token_embd\.weight' has 64 values, but the model's matrix has 256 inputs: "
                              "it was made for another model")
        self.assertIn("general.type is 'model', not 'imatrix'", with_it(self.source))
        text = self.path / "text.txt"
        text.write_text("no importance at all")
        self.assertIn("text.txt: ", with_it(text))
        self.assertIn("No such file", with_it(self.path / "none.gguf"))
        self.assertIn("Q2_K_S needs an importance matrix", self.refused(self.source, out, "Q2_K_S"))

    def test_a_recipe_says_which_line_is_wrong(self):
        recipe, out = self.path / "recipe.txt", self.path / "o.gguf"
        source = self.odd_rows()
        for text, reason in (
                ("# gates\n\n*.attn_k.* Q4_X\n", "recipe.txt:3: 'Q4_X' is no type that can be made"),
                ("*.attn_k.*\n", "recipe.txt:1: '*.attn_k.*' is not PATTERN TYPE"),
                ("*.attn_k.* Q8_0 Q4_0\n", "recipe.txt:1: '*.attn_k.* Q8_0 Q4_0' is not PATTERN TYPE"),
                ("*.attn_k.* IQ2_S\n", "recipe.txt:1: 'IQ2_S' is no type that can be made"),
                ("*.attn_k.* Q8_0\nblk.7.* Q8_0\n", "recipe.txt:2: no tensor is left for 'blk.7.*'"),
                ("*.attn_k.* Q4_K\n", "recipe.txt:1: tensor 'blk.0.attn_k.weight' has rows of 96 values, no multiple of "
                                       "the 256 of Q4_K")):
            recipe.write_text(text)
            self.assertIn(reason, self.refused(source, out, "Q4_K_M", "--recipe", recipe))
        recipe.unlink()
        self.assertIn("recipe.txt", self.refused(source, out, "Q4_K_M", "--recipe", recipe))
        recipe.write_text("*.attn_?.* keep\ntoken_embd.weight Q4_0  # the head\n")
        self.assertEqual(run("quantize", source, out, "Q8_0", "--recipe", recipe)[0], 0)
        types = {name: tensor.type for name, tensor in Gguf.read(out).tensors.items()}
        self.assertEqual(types, {"token_embd.weight": 2, "blk.0.attn_q.weight": 0, "blk.0.attn_k.weight": 0,
                                 "blk.0.ffn_down.weight": 1, "output_norm.weight": 0})

    def test_usage(self):
        out = self.path / "o.gguf"
        for arguments in ([], ["--dynamic", "2.5GB"], ["Q4_K_M", "--dynamic", "2.5GB", "--calibration", "t.txt"],
                          ["Q4_K_M", "--threads", "0"]):
            code, _, err = run("quantize", self.source, out, *arguments)
            self.assertEqual(code, 2, err)
            self.assertFalse(out.exists())

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
