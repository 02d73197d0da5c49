#!/usr/bin/env python3
"""Pictures and clips on the command line: with checkpoints of the shared test data where it is, and without.

usage: picture_test.py PATH/TO/tandem SOURCE_DIR
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TANDEM, SOURCE = sys.argv.pop(1), Path(sys.argv.pop(1))
ORACLE = Path(os.environ.get("TANDEM_SHARED", SOURCE / "../shared/data")) / "oracle"
PICTURES = SOURCE / "tests/data/media"
CAT = str(PICTURES / "rgb.png")
QWEN, PHI = "qwen3.5:demo", "phi4-mini:demo"


def run(*args):
    return subprocess.run([TANDEM, *map(str, args)], input=b"", capture_output=True, timeout=120)


def error(done):
    return done.stderr.decode().splitlines()[-1]


class Blind(unittest.TestCase):
    def test_a_model_without_eyes_says_so(self):
        for args in (("--image", CAT, "What is this?"), (f"What is {CAT} about?",)):
            done = run("run", PHI, *args)
            self.assertEqual(done.returncode, 1)
            self.assertEqual(error(done), "Error: phi4-mini:demo cannot see images")

    def test_usage(self):
        for args in (("--image-tokens", "0"), ("--image-pixels", "9"), ("--video-pixels", "9:1")):
            done = run("run", PHI, "Hi", *args)
            self.assertEqual(done.returncode, 2, args)
            self.assertIn(args[0], done.stderr.decode())


@unittest.skipUnless((ORACLE / "qwen-a").is_dir(), "shared test data 'oracle/qwen-a' is not here")
class Seeing(unittest.TestCase):
    MODEL = ORACLE / "qwen-a/f32.gguf"
    OPTIONS = ("--max-tokens", "5", "--temperature", "0")

    def logits(self, content, *options, model=None):
        with tempfile.TemporaryDirectory() as folder:
            messages = Path(folder, "m.json")
            messages.write_text(json.dumps([{"role": "user", "content": content}]))
            done = run("logits", model or self.MODEL, "--messages", messages, "-o", Path(folder, "o.npy"), *options)
            left = {p.name for p in Path(folder).iterdir()}
        return done, left

    def test_logits_gives_the_references_ids_and_tokens(self):
        cases = {c["name"]: c for c in json.loads((ORACLE / "qwen-a/cases.json").read_text()) if c["kind"] == "vision"}
        names = ["one", "wide-jpeg", "three"] + (["mixed"] if shutil.which("ffmpeg") else [])
        for name in names:
            case = cases[name]
            content = [{"type": next(iter(p)), next(iter(p)): p[next(iter(p))] if "text" in p
                        else str(ORACLE / "media" / p[next(iter(p))])} for p in case["content"]]
            done, _ = self.logits(content, "--greedy", len(case["greedy"]), "--ban-from", case["banned_from"],
                                  "--rows", "last")
            self.assertEqual(done.returncode, 0, done.stderr)
            got = json.loads(done.stdout)
            self.assertEqual(got["ids"], case["ids"])
            self.assertEqual(got["tokens"], case["greedy"])
            self.assertEqual(len(got["positions"]), 3)
            self.assertEqual(max(map(max, got["positions"])) + 1 - len(case["ids"]), case["rope_delta"])

    def test_our_own_vision_file_gives_the_same(self):
        content = [{"type": "image", "image": str(ORACLE / "media/a-96x64.png")}]
        with tempfile.TemporaryDirectory() as folder:
            mmproj = Path(folder, "eyes.gguf")
            self.assertEqual(run("convert", ORACLE / "qwen-a", "--mmproj", "--type", "f32", "-o", mmproj).returncode, 0)
            ours, _ = self.logits(content, "--mmproj", mmproj)
            theirs, _ = self.logits(content)
        self.assertEqual(ours.returncode, 0, ours.stderr)
        self.assertEqual(ours.stdout, theirs.stdout)

    def test_the_vision_file_must_fit(self):
        done = run("run", self.MODEL, "--mmproj", ORACLE / "qwen-b/mmproj.gguf", "Hi")
        self.assertEqual(done.returncode, 1)
        self.assertIn("makes rows of 96 values", error(done))
        done = run("run", self.MODEL, "--mmproj", self.MODEL, "Hi")
        self.assertIn("no vision tower", error(done))

    def test_run_takes_pictures_from_options_and_the_prompt(self):
        with tempfile.TemporaryDirectory() as folder:
            cat = shutil.copy(CAT, Path(folder, "my cat.png"))
            for args in (("--image", cat, "What?"), (f"What is {cat}",), (f"'{cat}' what?",)):
                done = run("run", self.MODEL, "--json", *self.OPTIONS, *args)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn("my cat.png: 24 x 16 pixels, seen as", done.stderr.decode())

    def test_the_budget_bounds_a_picture(self):
        picture = ORACLE / "media/i-300x200.png"
        wide = run("run", self.MODEL, "--json", *self.OPTIONS, "--image-pixels", "1024:1000000", "--image", picture, "?")
        self.assertIn("seen as 288 x 192 (54 tokens)", wide.stderr.decode())
        small = run("run", self.MODEL, "--json", *self.OPTIONS, "--image-pixels", "1024:1000000", "--image-tokens", "10",
                    "--image", picture, "?")
        self.assertIn("seen as 96 x 64 (6 tokens)", small.stderr.decode())

    def test_compare_goes_on_without_the_blind_model(self):
        done = run("compare", self.MODEL, PHI, "--json", *self.OPTIONS, "--image", CAT, "--prompt", "What?")
        self.assertEqual(done.returncode, 0, done.stderr)
        seeing, blind = json.loads(done.stdout)["columns"]
        self.assertIn("answer", seeing)
        self.assertEqual(blind["error"], "phi4-mini:demo cannot see images")

    def test_a_picture_among_the_words_of_compare_is_no_model(self):
        done = run("compare", self.MODEL, PHI, "--json", *self.OPTIONS, CAT, "What?")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(json.loads(done.stdout)["columns"]), 2)

    def test_bad_pictures_are_one_clear_line(self):
        with tempfile.TemporaryDirectory() as folder:
            good = Path(CAT).read_bytes()
            files = {"empty.png": b"", "text.png": b"hello", "cut.png": good[:300],
                     "cut.jpg": (PICTURES / "quarters-exif1.jpg").read_bytes()[:500]}
            for name, data in files.items():
                Path(folder, name).write_bytes(data)
            places = [str(Path(folder, name)) for name in files] + ["/nowhere.png", folder, "https://example.org/a.png"]
            for place in places:
                done, left = self.logits([{"type": "image", "image": place}])
                self.assertEqual(done.returncode, 1, place)
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
                self.assertIn(Path(place).name, done.stderr.decode())
                self.assertEqual(left, {"m.json"})


if __name__ == "__main__":
    unittest.main()
