#!/usr/bin/env python3
"""What the built-in Qwen demo sees: pictures and clips drawn here, answers in words, thresholds fixed.

usage: demo_sight_test.py PATH/TO/tandem SOURCE_DIR
"""
import json
import math
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib
from pathlib import Path

TANDEM, SOURCE = sys.argv.pop(1), Path(sys.argv.pop(1))
DEMO = "qwen3.5:demo"
COLOURS = {"red": (225, 40, 40), "green": (40, 160, 60), "blue": (40, 85, 215), "yellow": (245, 212, 35),
           "orange": (245, 135, 25), "purple": (140, 55, 170), "black": (25, 25, 30)}
CORNERS = {"circle": [(1, 90 + 5 * i) for i in range(72)],
           "square": [(1.245, 45 + 90 * i) for i in range(4)],
           "triangle": [(1.2, 90 + 120 * i) for i in range(3)],
           "star": [(1.25 if i % 2 == 0 else 0.4775, 90 + 36 * i) for i in range(10)]}


def fill(rows, kind, colour, x, y, size):
    """Paints a polygon, line by line; lengths in pixels."""
    corners = [(x + size * r * math.cos(math.radians(a)), y - size * r * math.sin(math.radians(a)))
               for r, a in CORNERS[kind]]
    for row in range(len(rows)):
        cuts = sorted(ax + (row + 0.5 - ay) * (bx - ax) / (by - ay)
                      for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1])
                      if (ay <= row + 0.5) != (by <= row + 0.5))
        for begin, end in zip(cuts[::2], cuts[1::2]):
            first, last = max(0, round(begin)), max(0, round(end))
            rows[row][3 * first:3 * last] = bytes(COLOURS[colour]) * (last - first)


def picture(height, width, shapes):
    rows = [bytearray(b"\xff" * (3 * width)) for _ in range(height)]
    for shape in shapes:
        fill(rows, *shape)
    return rows


def png(rows):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", len(rows[0]) // 3, len(rows), 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + bytes(r) for r in rows))) + chunk(b"IEND", b""))


def some_shapes(rng, count, height, width):
    """From left to right, each in a column of its own."""
    column = width / count
    out = []
    for i in range(count):
        size = min(height, column) * rng.uniform(0.24, 0.32)
        x = column * (i + 0.5) + rng.uniform(-0.08, 0.08) * column
        out.append((rng.choice(list(CORNERS)), rng.choice(list(COLOURS)), x, height * rng.uniform(0.38, 0.62), size))
    return out


def sentence(shapes):
    named = [f"{'an' if c[0] in 'aeiou' else 'a'} {c} {k}" for k, c, *_ in shapes]
    text = " and ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else named)
    return text[0].upper() + text[1:] + "."


def ask(folder, cases):
    """Answers, thinking and at once, to (file, question) pairs."""
    prompts = Path(folder, "prompts.jsonl")
    prompts.write_text("".join(json.dumps({"messages": [{"role": "user", "content": [
        {"type": "video" if str(file).endswith(".mp4") else "image", "path": str(file)},
        {"type": "text", "text": question}]}]}) + "\n" for file, question in cases))
    done = subprocess.run([TANDEM, "compare", f"{DEMO}@think", f"{DEMO}@nothink", "--prompts", prompts, "--json",
                           "--temperature", "0", "--max-tokens", "100"], capture_output=True, timeout=600)
    if done.returncode != 0:
        raise AssertionError(done.stderr.decode())
    return [[column["answer"].strip() for column in p["columns"]] for p in json.loads(done.stdout)["prompts"]]


class Sight(unittest.TestCase):
    def rate(self, cases, most_wrong):
        """cases: (rows of pixels, question, what the answer must be or contain)."""
        with tempfile.TemporaryDirectory() as folder:
            files = []
            for n, (rows, _, _) in enumerate(cases):
                files.append(Path(folder, f"{n}.png"))
                files[-1].write_bytes(png(rows))
            answers = ask(folder, [(file, question) for file, (_, question, _) in zip(files, cases)])
        for mode, name in enumerate(("thinking", "at once")):
            wrong = [f"{question} {got[mode]!r}, not {expect!r}" for (_, question, expect), got in zip(cases, answers)
                     if expect not in got[mode]]
            self.assertLessEqual(len(wrong), most_wrong[mode], f"{name}: {wrong}")

    def test_names_what_is_there(self):
        rng, cases = random.Random(1), []
        for n in range(16):
            height, width = rng.choice([(120, 160), (128, 128), (240, 320), (160, 120)])
            shapes = some_shapes(rng, 1 + n % 2, height, width)
            cases.append((picture(height, width, shapes), "What is in the picture?", sentence(shapes)))
        self.rate(cases, (2, 3))

    def test_counts(self):
        rng, cases = random.Random(2), []
        for n in range(12):
            shapes = some_shapes(rng, 1 + n % 3, 120, 160)
            cases.append((picture(120, 160, shapes), "How many shapes are there?", str(len(shapes))))
        self.rate(cases, (2, 3))


class Documents(unittest.TestCase):
    """The pictures that the README shows."""

    def test_the_readme_is_right(self):
        done = subprocess.run([TANDEM, "run", DEMO, "What is in this picture? docs/img/shapes.png", "--temperature", "0"],
                              cwd=SOURCE, capture_output=True, timeout=120)
        self.assertEqual(done.stdout.decode().strip(), "A red circle, a blue square and a green triangle.", done.stderr)

    @unittest.skipUnless(shutil.which("ffmpeg"), "ffmpeg is not here")
    def test_so_is_the_clip(self):
        done = subprocess.run([TANDEM, "run", DEMO, "Which way does it go? docs/img/moves.mp4", "--temperature", "0"],
                              cwd=SOURCE, capture_output=True, timeout=120)
        self.assertEqual(done.stdout.decode().strip(), "It goes to the right.", done.stderr)


if __name__ == "__main__":
    unittest.main()
