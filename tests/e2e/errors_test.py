#!/usr/bin/env python3
"""Bad input and bad luck: every row of the tables in docs/errors.md that names a test of this file. The message and the
exit code are read from there, so that the document cannot say anything else than the program.

usage: errors_test.py PATH/TO/tandem PATH/TO/SOURCE
"""
import ctypes
import json
import os
import random
import re
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from gguf_file import ARRAY, INT32, STRING, UINT32, Gguf, f32

TANDEM, SOURCE = sys.argv.pop(1), Path(sys.argv.pop(1))
QWEN, PHI = "qwen3.5:demo", "phi4-mini:demo"
SANITIZER = os.environ.get("TANDEM_SANITIZER", "")
TINY = SOURCE / "tests/data/oracle/phi-a/f32.gguf"
DOCUMENT = SOURCE / "docs/errors.md"
HUGE = 1 << 63


def read_rows():
    """Input -> (message, exit code, test), of all tables."""
    rows = {}
    for line in DOCUMENT.read_text().splitlines():
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 4 and cells[2].isdigit():
            assert cells[0] not in rows, cells[0]
            rows[cells[0]] = (cells[1].strip("`"), int(cells[2]), cells[3].strip("`"))
    return rows


ROWS = read_rows()


def pattern(message):
    """FILE, NAME and WHAT stand for a word, N for a number, ... for anything."""
    words = {"FILE": r"[^']+?", "NAME": r"\S+?", "N": r"\d+", "...": ".*"}
    parts = re.split(r"(\bFILE\b|\bNAME\b|\bN\b|\.\.\.)", message)
    return "".join(words.get(part, re.escape(part)) for part in parts)


def text(words):
    data = words if isinstance(words, bytes) else words.encode()
    return struct.pack("<Q", len(data)) + data


def header(tensors, keys, version=3):
    return b"GGUF" + struct.pack("<IQQ", version, tensors, keys)


def one_tensor(dims, kind=0, offset=0, data=64):
    head = header(1, 0) + text("t") + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, offset)
    return head + bytes(-len(head) % 32) + bytes(data)


class Base(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.TemporaryDirectory()
        self.folder = Path(self.place.name)

    def tearDown(self):
        self.place.cleanup()

    def file(self, data, name="bad.gguf"):
        path = self.folder / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return str(path)

    def run_program(self, *args, data=b"", **more):
        more.setdefault("stdout", subprocess.PIPE)
        return subprocess.run([TANDEM, *map(str, args)], input=data, stderr=subprocess.PIPE, timeout=300, **more)

    def assert_row(self, row, done):
        message, code, test = ROWS[row]
        self.assertEqual(test, self.id().removeprefix("__main__."), f"docs/errors.md names another test for: {row}")
        errors = done.stderr.decode()
        self.assertEqual(done.returncode, code, f"{row}: {errors}")
        lines = [line for line in errors.splitlines() if not line.startswith("Note: ")]
        if message.startswith("(none"):
            self.assertEqual(lines, [], row)
            return
        self.assertTrue(lines, row)
        self.assertRegex(lines[0], "^Error: " + pattern(message) + "$", row)
        if code == 1:
            self.assertEqual(len(lines), 1, f"{row}: {errors}")

    def row(self, row, *args, data=b"", **more):
        """Runs the program and compares with the row of that name."""
        self.assert_row(row, self.run_program(*args, data=data, **more))


class Places(Base):
    """What a path may lead to."""

    def test_what_is_no_file(self):
        self.row("a folder", "run", self.folder, "Hi")
        os.mkfifo(self.folder / "pipe")
        self.row("a named pipe", "run", self.folder / "pipe", "Hi")
        self.row("a device", "run", "/dev/null", "Hi")
        self.row("a path where nothing is", "run", self.folder / "none.gguf", "Hi")
        self.row("an empty file", "run", self.file(b""), "Hi")
        self.row("a name that nobody has", "run", "qwen9:demo", "Hi")

    def test_where_nothing_can_be_written(self):
        def as_owner():
            """The superuser without the right to pass permissions by (PR_CAPBSET_DROP of CAP_DAC_OVERRIDE)."""
            if os.geteuid() == 0:
                ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)

        closed = self.folder / "closed"
        closed.mkdir(0o555)
        source = self.file(TINY.read_bytes(), "tiny.gguf")
        done = self.run_program("convert", source, "-o", closed / "out.gguf", "--type", "q8_0", preexec_fn=as_owner)
        self.assert_row("a folder that may not be written to", done)
        self.assertEqual(list(closed.iterdir()), [])
        self.row("a folder that is not there", "convert", source, "-o", self.folder / "none/out.gguf")
        self.row("a folder as the output", "convert", source, "-o", self.folder)
        self.row("the source as the output", "quantize", source, source, "Q8_0")

    def test_a_full_disk(self):
        with open("/dev/full", "wb") as full:
            self.row("a full disk under standard output", "tokenize", PHI, "Hello", stdout=full)
            self.row("a full disk under an answer", "run", PHI, "Hello", "--quiet", stdout=full)
        source = self.file(TINY.read_bytes(), "tiny.gguf")

        def small_files():
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

        out = self.folder / "out"
        out.mkdir()
        self.row("a file that may not grow so large", "convert", source, "-o", out / "out.gguf", preexec_fn=small_files)
        self.assertEqual(list(out.iterdir()), [], "half a file is left")

    def test_a_closed_pipe(self):
        read, write = os.pipe()
        os.close(read)
        with os.fdopen(write, "wb") as closed:
            done = self.run_program("tokenize", PHI, "Hello", stdout=closed)
        self.assertEqual(done.returncode, -signal.SIGPIPE)
        done.returncode = 128 + signal.SIGPIPE  # what a shell says
        self.assert_row("a closed pipe", done)


class Containers(Base):
    """GGUF files that lie."""

    def check(self, row, data):
        self.row(row, "run", self.file(data), "Hi")

    def test_headers(self):
        self.check("another kind of file", b"PK\x03\x04 a zip archive")
        self.check("GGUF version 1", header(0, 0, 1))
        self.check("a big-endian file", b"GGUF" + struct.pack(">IQQ", 3, 0, 0))
        self.check("a file that ends in its header", header(0, 0)[:10])
        self.check("2^63 tensors", header(HUGE, 0) + bytes(100))
        self.check("2^64 - 1 metadata keys", header(0, 2**64 - 1) + bytes(100))

    def test_metadata(self):
        self.check("a string of 4 GB in a small file", header(0, 1) + struct.pack("<Q", 1 << 32) + b"general")
        self.check("a value of 2^64 - 1 bytes", header(0, 1) + text("k") + struct.pack("<IQ", 8, 2**64 - 1))
        self.check("an array of 2^63 numbers", header(0, 1) + text("k") + struct.pack("<IIQ", 9, 4, HUGE))
        nested = text("k") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 1000
        self.check("arrays in arrays", header(0, 1) + nested)
        self.check("an unknown type of value", header(0, 1) + text("k") + struct.pack("<IQ", 77, 0))
        self.check("two keys of one name", header(0, 2) + (text("k") + struct.pack("<IB", 0, 1)) * 2)
        self.check("an alignment that is none", header(0, 1) + text("general.alignment") + struct.pack("<II", 4, 48))

    def test_tensors(self):
        self.check("a tensor behind the end", one_tensor((8, 4), data=100))
        self.check("an offset that wraps", one_tensor((32,), 8, 2**64 - 32))
        self.check("an offset between two blocks", one_tensor((8,), 0, 4))
        self.check("a shape that wraps", one_tensor((1 << 32, 1 << 32)))
        self.check("a size of zero", one_tensor((8, 0)))
        self.check("five dimensions", one_tensor((1, 1, 1, 1, 1)))
        self.check("half a block", one_tensor((33,), 8))
        self.check("an unknown number format", one_tensor((32,), 77))
        entry = text("t") + struct.pack("<IQIQ", 1, 8, 0, 0)
        self.check("two tensors of one name", header(2, 0) + entry * 2 + bytes(64))

    def test_a_million_metadata_keys(self):
        keys = b"".join(text(f"key.{i}") + struct.pack("<IB", 0, 1) for i in range(1_000_000))
        start = time.monotonic()
        self.check("a million metadata keys", header(0, 1_000_000) + keys)
        self.assertLess(time.monotonic() - start, 60)

    def test_a_file_cut_anywhere(self):
        whole = TINY.read_bytes()
        cuts = [*range(0, 400, 37), 1000, 5000, 20_000, 100_000, len(whole) - 1]
        for cut in cuts:
            done = self.run_program("run", self.file(whole[:cut]), "Hi")
            self.assertEqual(done.returncode, 1, f"cut at {cut}: {done.stderr}")
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.row("a file that was cut", "run", self.file(whole[:200_000]), "Hi")

    def test_flipped_bits(self):
        whole = TINY.read_bytes()
        random_bits = random.Random(9)
        for _ in range(12 if SANITIZER else 40):
            data = bytearray(whole)
            # Most of them where the directory is.
            for _ in range(3):
                at = random_bits.randrange(len(data) if random_bits.random() < 0.3 else 30_000)
                data[at] ^= 1 << random_bits.randrange(8)
            path = self.file(bytes(data))
            for command in (["show", path], ["run", path, "Hi", "--max-tokens", "2", "--quiet"]):
                done = self.run_program(*command)
                self.assertIn(done.returncode, (0, 1), done.stderr)
                if done.returncode == 1:
                    self.assertRegex(done.stderr.decode(errors="replace"), r"^Error: [^\n]+\n$")
        data = bytearray(whole)
        data[24 + 2] ^= 0x80  # of the first key's length
        self.row("a flipped bit in a length", "run", self.file(bytes(data)), "Hi")


class Models(Base):
    """Files in order that hold no model that can be run."""

    def changed(self, change):
        gguf = Gguf.read(TINY)
        change(gguf)
        path = self.folder / "changed.gguf"
        gguf.write(path)
        return path

    def check(self, row, change):
        self.row(row, "run", self.changed(change), "Hi")

    def test_keys(self):
        self.check("an unknown architecture", lambda g: g.set("general.architecture", STRING, "mamba"))
        self.check("a key that is missing", lambda g: g.metadata.pop("phi3.embedding_length"))
        self.check("a key of another kind", lambda g: g.set("phi3.embedding_length", STRING, "64"))
        self.check("a size that no model has", lambda g: g.set("phi3.attention.head_count", 10, HUGE))
        self.check("more layers than tensors", lambda g: g.set("phi3.block_count", UINT32, 9_000_000))
        self.check("heads that do not fit", lambda g: g.set("phi3.attention.head_count", UINT32, 7))
        self.check("heads too wide", lambda g: g.set("phi3.attention.key_length", UINT32, 513))

        def one_head(gguf):
            gguf.set("phi3.embedding_length", UINT32, 1024)
            gguf.set("phi3.attention.head_count", UINT32, 1)
            gguf.set("phi3.attention.head_count_kv", UINT32, 1)
            gguf.metadata.pop("phi3.attention.key_length", None)

        self.check("one head as wide as the model", one_head)

    def test_tensors(self):
        self.check("a tensor that is missing", lambda g: g.tensors.pop("blk.0.ffn_up.weight"))

        def turn(gguf):
            tensor = gguf.tensors["blk.0.ffn_down.weight"]
            tensor.dims = tensor.dims[::-1]

        self.check("a tensor of another shape", turn)

    def test_vocabulary(self):
        tokens = Gguf.read(TINY).metadata["tokenizer.ggml.tokens"][1][1]
        types = Gguf.read(TINY).metadata["tokenizer.ggml.token_type"][1][1]

        def put(what):
            return lambda g: g.set("tokenizer.ggml.tokens", ARRAY, (STRING, what))

        self.check("an unknown tokenizer", lambda g: g.set("tokenizer.ggml.model", STRING, "llama"))
        self.check("an unknown pre-tokenizer", lambda g: g.set("tokenizer.ggml.pre", STRING, "tekken"))
        self.check("two tokens of one text", put([*tokens[:5], tokens[4], *tokens[6:]]))
        self.check("a byte without a token", put([*tokens[:5], "no such thing", *tokens[6:]]))
        self.check("another number of types than tokens",
                   lambda g: g.set("tokenizer.ggml.token_type", ARRAY, (INT32, types[:-1])))
        self.check("another number of tokens than rows", lambda g: (
            g.set("tokenizer.ggml.token_type", ARRAY, (INT32, [*types, 1])),
            g.set("tokenizer.ggml.tokens", ARRAY, (STRING, [*tokens, "one more"]))))

    def test_templates(self):
        def check(row, words):
            self.check(row, lambda g: g.set("tokenizer.chat_template", STRING, words))

        self.check("no chat template", lambda g: g.metadata.pop("tokenizer.chat_template"))
        check("a template that cannot be parsed", "{% if %}")
        check("a template that refuses", "{{ raise_exception('Only\nusers') }}")
        check("a template that loops for ever",
              "{% for a in range(99999) %}{% for b in range(99999) %}{{ 1 }}{% endfor %}{% endfor %}")
        check("a template that calls itself", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}")
        check("a template that doubles a text",
              "{% set n = namespace(s='x') %}{% for i in range(99) %}{% set n.s = n.s ~ n.s %}{% endfor %}")
        check("a template with a huge number", "{{ 'x' * 999999999999 }}")
        check("a template of nested brackets", "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}")


class Checkpoints(Base):
    """Folders that `convert` is given."""

    PATTERN = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
               r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
               r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
               r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
               r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")

    def setUp(self):
        super().setUp()
        self.source = self.folder / "checkpoint"
        self.source.mkdir()
        self.put("config.json", {"architectures": ["Phi3ForCausalLM"], "hidden_size": 8, "intermediate_size": 8,
                                 "num_hidden_layers": 1, "num_attention_heads": 1, "num_key_value_heads": 1,
                                 "vocab_size": 260, "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
                                 "rope_theta": 10000.0, "original_max_position_embeddings": 64,
                                 "tie_word_embeddings": True})
        self.tensors({name: shape for name, shape in (
            ("model.embed_tokens.weight", [260, 8]), ("model.norm.weight", [8]),
            ("model.layers.0.input_layernorm.weight", [8]), ("model.layers.0.self_attn.qkv_proj.weight", [24, 8]),
            ("model.layers.0.self_attn.o_proj.weight", [8, 8]),
            ("model.layers.0.post_attention_layernorm.weight", [8]),
            ("model.layers.0.mlp.gate_up_proj.weight", [16, 8]), ("model.layers.0.mlp.down_proj.weight", [8, 8]))})
        own = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
        letters = [chr(byte) for byte in own] + [chr(0x100 + i) for i in range(256 - len(own))]
        self.vocabulary = {letter: i for i, letter in enumerate(letters)}
        self.tokenizer()

    def put(self, name, what):
        (self.source / name).write_text(what if isinstance(what, str) else json.dumps(what))

    def safetensors(self, entries, data, length=None):
        words = json.dumps(entries).encode() if isinstance(entries, dict) else entries
        self.source.joinpath("model.safetensors").write_bytes(
            struct.pack("<Q", len(words) if length is None else length) + words + data)

    def tensors(self, shapes):
        entries, at = {}, 0
        for name, shape in shapes.items():
            size = 4
            for dim in shape:
                size *= dim
            entries[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + size]}
            at += size
        self.safetensors(entries, bytes(at))
        self.entries, self.bytes = entries, at

    def tokenizer(self, vocab=None, merges=(), **model):
        self.put("tokenizer.json", {
            "model": {"type": "BPE", "vocab": self.vocabulary if vocab is None else vocab, "merges": list(merges),
                      **model},
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": self.PATTERN}, "behavior": "Isolated", "invert": False},
                {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}]},
            "added_tokens": [{"id": 256, "content": "<|end|>", "special": True}]})

    def check(self, row):
        out = self.folder / "out.gguf"
        self.row(row, "convert", self.source, "-o", out)
        self.assertFalse(out.exists(), row)

    def test_the_folder_is_sound(self):
        done = self.run_program("convert", self.source, "-o", self.folder / "out.gguf")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_safetensors(self):
        name = "model.norm.weight"

        def change(row, **fields):
            entries = json.loads(json.dumps(self.entries))
            entries[name].update(fields)
            self.safetensors(entries, bytes(self.bytes))
            self.check(row)

        begin, end = self.entries[name]["data_offsets"]
        change("tensors that overlap", data_offsets=[begin - 4, end - 4])
        change("a tensor outside the file", data_offsets=[begin, 1 << 40])
        change("offsets beyond 2^63", data_offsets=[HUGE, HUGE + 32])
        change("bytes that are not those of the shape", shape=[9])
        change("a shape whose product wraps", shape=[1 << 33, 1 << 33])
        self.safetensors({}, b"", 2**64 - 1)
        self.check("a header of 2^64 - 1 bytes")
        self.safetensors(b"[1, 2]", b"")
        self.check("a header that is no object")
        self.safetensors(b"{", b"")
        self.check("a header that is no JSON")
        self.safetensors(b"[" * 1000, b"")
        self.check("a header of a thousand brackets")
        (self.source / "model.safetensors").unlink()
        self.check("no weights")

    def test_config(self):
        config = json.loads((self.source / "config.json").read_text())
        (self.source / "config.json").unlink()
        self.check("no config.json")
        self.put("config.json", "{")
        self.check("a config.json that is no JSON")
        self.put("config.json", {**config, "architectures": ["MambaForCausalLM"]})
        self.check("an architecture that cannot be converted")
        self.put("config.json", {**config, "vocab_size": 1 << 31})
        self.check("a vocabulary larger than the embedding")

    def test_tokenizer(self):
        doubled = dict(self.vocabulary)
        doubled["b"] = doubled["a"]
        self.tokenizer(doubled)
        self.check("two tokens of one id")
        self.tokenizer({**self.vocabulary, "far": 1 << 20})
        self.check("an id outside the vocabulary")
        self.tokenizer(merges=["a b c"])
        self.check("a merge of three parts")
        self.tokenizer(dropout=0.5)
        self.check("a tokenizer with dropout")
        self.put("tokenizer.json", {"model": {"type": "Unigram", "vocab": []}})
        self.check("a tokenizer of another kind")
        (self.source / "tokenizer.json").unlink()
        self.check("no tokenizer")
        without = {letter: i for letter, i in self.vocabulary.items() if letter != "a"}
        self.tokenizer(without)
        out = self.folder / "out.gguf"
        self.assertEqual(self.run_program("convert", self.source, "-o", out).returncode, 0)
        self.row("a tokenizer without a byte", "run", out, "Hi")


class Questions(Base):
    """What people and programs say to a model."""

    def test_prompts(self):
        self.row("a prompt longer than the context", "run", PHI, "word " * 400, "--ctx", "64")
        self.row("a context above the model's limit", "run", PHI, "Hi", "--ctx", "200000")
        self.row("standard input that is not UTF-8", "run", PHI, data=b"ab\xff")
        self.row("a line of a conversation that is not UTF-8", "run", PHI, "--chat", data=b"Hello\nB\xffye\n")
        self.row("nothing to answer", "run", PHI, data=b"")

    def test_messages(self):
        def check(row, data):
            self.row(row, "logits", PHI, "--messages", self.file(data, "m.json"), "-o", self.folder / "out.npy")
            self.assertFalse((self.folder / "out.npy").exists())

        check("messages that are no JSON", "[{")
        check("messages of a thousand brackets", "[" * 1000)
        check("a message without a role", '[{"content": "Hi"}]')
        check("a message whose content is a number", '[{"role": "user", "content": 7}]')
        check("messages that are not UTF-8", b'[{"role": "user", "content": "\xff"}]')

    def test_tools(self):
        for row, data in (("definitions of tools that are no JSON", "[{"), ("definitions that are no list", "7"),
                          ("a tool without a name", '[{"name": "f"}, {"type": "function", "function": {}}]')):
            self.row(row, "run", PHI, "--tools", self.file(data, "t.json"), "Hi")
        self.row("a result of a tool that nobody called", "run", PHI, "--tools",
                 self.file('[{"name": "f"}]', "t.json"), "--chat", data=b"/tool 3 C\n")
        call = {"function": {"name": "f", "arguments": [1]}}
        messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "", "tool_calls": [call]}]
        self.row("a call whose arguments are no object", "run", PHI, "Go on", "--messages",
                 self.file(json.dumps(messages), "m.json"))
        self.row("messages and a system text", "run", PHI, "--system", "s", "--messages",
                 self.file(json.dumps(messages[:1]), "m.json"))

    def test_options(self):
        self.row("an unknown command", "frobnicate")
        self.row("an unknown option", "run", PHI, "--temprature", "1", "Hi")
        self.row("a value of the wrong kind", "run", PHI, "Hi", "--seed", "x")
        self.row("an instruction set that is none", "run", PHI, "Hi", "--isa", "sse9")


@unittest.skipIf(SANITIZER, "a sanitizer maps terabytes of its own")
class Memory(Base):
    def limited(self, megabytes, *args):
        def limit():
            resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))

        return self.run_program(*args, preexec_fn=limit)

    def test_too_little_memory(self):
        """Whatever is missing first, at any limit: one line, exit code 1, or an answer."""
        path = str(SOURCE / "assets/demo/phi4-mini-demo.gguf")
        answered = False
        loadable = (os.path.getsize(TANDEM) >> 20) + 2  # below this the system cannot even start the program
        for megabytes in (loadable, 28, 32, 36, 40, 48, 56, 72, 96, 128, 192, 256, 384, 2048):
            for command in (["run", path, "Hi", "--quiet", "--threads", "2", "--ctx", "512"],
                            ["quantize", path, str(self.folder / "out.gguf"), "Q8_0", "--allow-requantize"]):
                done = self.limited(megabytes, *command)
                if done.returncode == 127:  # not even the program's libraries
                    continue
                answered = answered or done.returncode == 0
                self.assertIn(done.returncode, (0, 1), f"{megabytes} MB: {done.stderr}")
                if done.returncode == 1:
                    lines = done.stderr.decode().splitlines()
                    self.assertEqual(len(lines), 1, f"{megabytes} MB: {lines}")
                    self.assertRegex(lines[0], "out of memory|Cannot allocate memory|cannot start a thread|no memory")
                    self.assertFalse((self.folder / "out.gguf").exists())
            (self.folder / "out.gguf").unlink(missing_ok=True)
        self.assertTrue(answered)
        big = self.folder / "big.gguf"
        with open(big, "wb") as file:
            file.truncate(1 << 30)
        self.assert_row("a file larger than the address space allowed", self.limited(512, "run", big, "Hi"))

    def test_no_memory_at_all(self):
        text = self.file("x" * (64 << 20), "long.txt")
        with open(text, "rb") as file:
            done = subprocess.run([TANDEM, "tokenize", PHI], stdin=file, capture_output=True, timeout=300,
                                  preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (128 << 20, 128 << 20)))
        self.assert_row("no memory left", done)


class ChangedFiles(Base):
    """Somebody writes to a model's file while it is in use."""

    def copy(self):
        path = self.folder / "model.gguf"
        path.write_bytes((SOURCE / "assets/demo/phi4-mini-demo.gguf").read_bytes())
        return path

    def conversation(self, path):
        """A conversation that has given one answer."""
        process = subprocess.Popen([TANDEM, "run", str(path), "--chat", "--quiet"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdin.write(b"Hello\n")
        process.stdin.flush()
        self.assertTrue(process.stdout.readline())
        time.sleep(0.3)  # reading ahead
        return process

    def end(self, row, process, data=b"Bye\n"):
        _, errors = process.communicate(data, timeout=300)
        done = subprocess.CompletedProcess([], process.returncode, b"", errors)
        self.assert_row(row, done)

    def test_between_two_turns(self):
        path = self.copy()
        process = self.conversation(path)
        os.truncate(path, 100_000)
        self.end("a model's file that was cut between two turns", process)
        path = self.copy()
        process = self.conversation(path)
        with open(path, "r+b") as file:
            file.seek(4_000_000)
            file.write(bytes(1000))
        self.end("a model's file that was written to between two turns", process)
        # Replaced by rename, as downloads and package managers do: the old one is still there.
        path = self.copy()
        process = self.conversation(path)
        other = self.folder / "other"
        other.write_bytes(b"another model")
        other.rename(path)
        output, errors = process.communicate(b"Bye\n", timeout=300)
        self.assertEqual(process.returncode, 0, errors)
        self.assertTrue(output)

    def test_while_an_answer_is_made(self):
        path = self.copy()
        # What ends a turn is forbidden, so the answer goes on until the context is full.
        ends = json.loads(self.run_program("tokenize", PHI, "<|end|><|endoftext|>", "--special").stdout)
        forbidden = [word for end in ends for word in ("--logit-bias", f"{end}=-inf")]
        with subprocess.Popen([TANDEM, "run", str(path), "Hello", "--max-tokens", "0", "--quiet", "--threads", "1",
                               "--isa", "scalar", *forbidden], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            self.assertTrue(process.stdout.read(1))  # it has begun
            os.truncate(path, 4096)
            self.end("a model's file that is cut while an answer is made", process, b"")

    def test_in_every_command_that_computes(self):
        text = self.file("One two three four five six seven. " * 2000, "text.txt")
        for command in (["bench", "MODEL", "-p", "256", "-n", "64", "-r", "100"], ["perplexity", "MODEL", text],
                        ["compare", "MODEL", "MODEL@seed=2", "--prompt", "word " * 3000, "--max-tokens", "0"]):
            path = self.copy()
            arguments = [str(path) + part.removeprefix("MODEL") if part.startswith("MODEL") else part
                         for part in command]
            with subprocess.Popen([TANDEM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
                time.sleep(1.5 if SANITIZER else 0.4)
                os.truncate(path, 4096)
                _, errors = process.communicate(timeout=300)
            if process.returncode != 0:  # it may have ended before
                self.assertEqual(process.returncode, 1, errors)
                self.assertRegex(errors.decode(), r"Error: '[^']+/model.gguf' (was|can)", command)


class Document(unittest.TestCase):
    def test_every_row_is_tested(self):
        """What each row names exists; those of this file are looked up in it by their first cell."""
        here = Path(__file__).read_text()
        units = "\n".join(path.read_text() for folder in ("src", "tests", "fuzz") for path in
                          sorted((SOURCE / folder).rglob("*.cc")))
        known = set(re.findall(r"TEST(?:_F|_P)?\((\w+), (\w+)\)", units))
        self.assertGreater(len(ROWS), 60)
        for row, (_, _, test) in ROWS.items():
            suite, _, name = test.partition(".")
            if f"class {suite}(" in here:
                self.assertIn(f"def {name}(", here, row)
                self.assertIn(f'"{row}"', here, "no test looks at this row")
            else:
                self.assertTrue((suite, name) in known, f"{row}: there is no {test}")


if __name__ == "__main__":
    unittest.main()
