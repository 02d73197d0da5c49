#!/usr/bin/env python3
"""Pictures and clips on the command line: with checkpoints of the shared test data where it is, and without.

usage: picture_test.py PATH/TO/tandem SOURCE_DIR
"""
import base64
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import unittest
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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


def png_header(width, height):
    """A PNG that says how large it is, and has no more."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))


def ffmpeg(path, *options):
    subprocess.run(["ffmpeg", "-v", "error", "-y", *options, str(path)], check=True, stdin=subprocess.DEVNULL)


class PictureServer:
    """Files by path on this machine; counts what is asked. /to/URL redirects."""

    def __init__(self, files):
        self.asked = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                data = files.get(self.path.split("?")[0])
                if self.path.startswith("/to/"):
                    self.send_response(302)
                    self.send_header("Location", self.path[4:])
                    data = b""
                else:
                    self.send_response(404 if data is None else 200)
                self.send_header("Content-Length", str(len(data or b"")))
                self.end_headers()
                self.wfile.write(data or b"")

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


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

    def assert_one_line(self, content, *parts, options=()):
        done, left = self.logits([content], *options)
        self.assertEqual(done.returncode, 1, content)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        for part in parts:
            self.assertIn(part, done.stderr.decode())
        self.assertEqual(left, {"m.json"})

    def test_bad_pictures_are_one_clear_line(self):
        good = Path(CAT).read_bytes()
        rest = good[good.index(b"IDAT") - 4:]
        files = {
            "empty.png": (b"", "the file is empty"),
            "text.png": (b"hello", "is no picture that Tandem reads (PNG, JPEG, WebP)"),
            "cut.png": (good[:300], "the PNG cannot be read: "),
            "cut.jpg": ((PICTURES / "quarters-exif1.jpg").read_bytes()[:500], "the JPEG cannot be read: "),
            "cut.webp": ((PICTURES / "rgb.webp").read_bytes()[:-9], "the WebP cannot be read"),
            "bomb.png": (png_header(100000, 100000) + rest, "is 100000 x 100000 pixels; at most 134 million pixels are read"),
            "zero.png": (png_header(0, 5) + rest, "the PNG cannot be read: "),
            "thin.png": (png_header(20000, 10) + rest, "20000 x 10 pixels; one side may be at most 200 times the other"),
            "changed.png": (good[:len(good) // 2] + bytes([good[len(good) // 2] ^ 0x55]) + good[len(good) // 2 + 1:],
                            "the PNG cannot be read: "),
        }
        with tempfile.TemporaryDirectory() as folder:
            for name, (data, complaint) in files.items():
                Path(folder, name).write_bytes(data)
                with self.subTest(name):
                    self.assert_one_line({"type": "image", "image": str(Path(folder, name))}, name, complaint)
            self.assert_one_line({"type": "image", "image": "/nowhere.png"}, "/nowhere.png", "No such file")
            self.assert_one_line({"type": "image", "image": folder}, folder)
            if os.geteuid() != 0:  # who may read everything
                secret = Path(folder, "secret.png")
                secret.write_bytes(good)
                secret.chmod(0)
                self.assert_one_line({"type": "image", "image": str(secret)}, "secret.png", "Permission denied")

    def test_the_smallest_picture_is_seen(self):
        pixel = zlib.compress(b"\0\x10\x20\x30")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "one.png")
            chunk = b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d))
                             for k, d in ((b"IDAT", pixel), (b"IEND", b"")))
            path.write_bytes(png_header(1, 1) + chunk)
            done, _ = self.logits([{"type": "image", "image": str(path)}])
            self.assertEqual(done.returncode, 0, done.stderr)

    @unittest.skipUnless(shutil.which("ffmpeg"), "ffmpeg is not installed")
    def test_bad_clips_are_one_clear_line(self):
        with tempfile.TemporaryDirectory() as folder:
            sound, single, broken = (Path(folder, n) for n in ("sound.mkv", "single.mkv", "broken.mkv"))
            ffmpeg(sound, "-f", "lavfi", "-i", "sine=duration=1")
            ffmpeg(single, "-f", "lavfi", "-i", "testsrc=size=64x64:rate=5", "-frames:v", "1", "-c:v", "ffv1")
            ffmpeg(broken, "-f", "lavfi", "-i", "testsrc=size=320x240:rate=10", "-frames:v", "30", "-c:v", "ffv1",
                   "-slicecrc", "1", "-level", "3")
            data = bytearray(broken.read_bytes())
            for i in range(len(data) // 3, len(data) // 3 + 20000):
                data[i] ^= 0x5A
            broken.write_bytes(data)
            text = Path(folder, "text.mp4")
            text.write_text("hello")
            for path, complaint in ((sound, "there is no video in this file"), (single, "needs at least two frames"),
                                    (broken, "the clip cannot be read"), (text, "the clip cannot be read"),
                                    (Path("/nowhere.mkv"), "No such file")):
                with self.subTest(path.name):
                    self.assert_one_line({"type": "video", "video": str(path)}, path.name, complaint)

    def test_a_conversation_goes_on_after_a_bad_picture(self):
        with tempfile.TemporaryDirectory() as folder:
            prompts = Path(folder, "prompts.jsonl")
            bad = {"messages": [{"role": "user", "content": [{"type": "image", "image": "/nowhere.png"}]}]}
            good = {"messages": [{"role": "user", "content": [{"type": "image", "image": CAT}]}]}
            prompts.write_text("".join(json.dumps(item) + "\n" for item in (bad, good)))
            done = run("compare", self.MODEL, self.MODEL, "--json", *self.OPTIONS, "--prompts", prompts)
            first, second = json.loads(done.stdout)["prompts"]
            self.assertIn("/nowhere.png", first["columns"][0]["error"])
            self.assertIn("answer", second["columns"][0])

    def test_addresses_are_read_only_when_that_is_allowed(self):
        here, there = {"type": "image", "image": CAT}, {"type": "image_url", "image_url": {"url": ""}}
        expected, _ = self.logits([here])
        with PictureServer({"/cat.png": Path(CAT).read_bytes(), "/text": b"hello"}) as server:
            def at(path):
                there["image_url"]["url"] = server.address + path
                return there

            shown = server.address + "/cat.png"
            self.assert_one_line(at("/cat.png?key=1"), shown + ": ", "--allow-url")
            self.assert_one_line(at("/cat.png?key=1"), shown + ": 127.0.0.1 is an address of this machine",
                                 "--allow-private-url", options=("--allow-url",))
            self.assertEqual(server.asked, [])
            allowed = ("--allow-url", "--allow-private-url")
            for path in ("/cat.png?key=1", "/to//cat.png", f"/to/{shown}"):
                done, _ = self.logits([at(path)], *allowed)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(done.stdout, expected.stdout)
            self.assert_one_line(at("/none.png"), "answers with status 404", options=allowed)
            self.assert_one_line(at("/to/file:///etc/passwd"), "which is not followed", options=allowed)
            self.assert_one_line(at("/text"), "is no picture", options=allowed)

    def test_run_and_compare_take_addresses(self):
        with PictureServer({"/my.png": Path(CAT).read_bytes()}) as server:
            address, allowed = server.address + "/my.png", ("--allow-url", "--allow-private-url")
            for args in (("--image", address, "What?"), (f"What is {address}?",)):
                done = run("run", self.MODEL, "--json", *self.OPTIONS, *allowed, *args)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn(f"{address}: 24 x 16 pixels, seen as", done.stderr.decode())
            server.asked.clear()
            done = run("compare", self.MODEL, self.MODEL, "--json", *self.OPTIONS, *allowed, "--image", address,
                       "--prompt", "What?")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(server.asked, ["/my.png"])  # the second column has it from the first
            done = run("run", self.MODEL, "--image", address, "What?")
            self.assertEqual(done.returncode, 1)
            self.assertIn("--allow-url", error(done))

    def test_data_urls(self):
        expected, _ = self.logits([{"type": "image", "image": CAT}])
        url = "data:image/png;base64," + base64.b64encode(Path(CAT).read_bytes()).decode()
        done, _ = self.logits([{"type": "image_url", "image_url": {"url": url}}])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, expected.stdout)

    def test_fit_counts_the_tower(self):
        def model(*options):
            return json.loads(run("fit", self.MODEL, "--json", *options).stdout)["models"][0]["table"][0]

        with tempfile.TemporaryDirectory() as folder:
            alone = shutil.copy(self.MODEL, Path(folder, "alone.gguf"))
            blind = json.loads(run("fit", alone, "--json").stdout)["models"][0]["table"][0]
        seeing = model()
        mmproj = ORACLE / "qwen-a/mmproj.gguf"
        self.assertEqual(seeing["weights_bytes"], blind["weights_bytes"])
        self.assertGreater(seeing["vision_bytes"], mmproj.stat().st_size)
        self.assertEqual(blind["vision_bytes"], 0)
        self.assertGreater(seeing["vision_bytes"], 0)
        self.assertEqual(seeing["total_bytes"], blind["total_bytes"] + seeing["vision_bytes"])
        self.assertEqual(model("--mmproj", mmproj), seeing)


if __name__ == "__main__":
    unittest.main()
