#!/usr/bin/env python3
"""Model files in every layout that publishers use, and damaged ones: what `list`, `show`, `check`, `logits` and `run` make
of them.

usage: layout_test.py PATH/TO/tandem SOURCE_DIR
"""
import hashlib
import json
import os
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from gguf_file import F32, STRING, Gguf, Tensor, f32, merge_as_ollama, round_patches, split_in_two

TANDEM, SOURCE = sys.argv.pop(1), Path(sys.argv.pop(1))
DATA = SOURCE / "tests/data/vision"
PICTURE = str(DATA / "a-96x64.png")
CASE = json.loads((DATA / "cases.json").read_text())[0]
# The model as the reference has it, where its data lies beside the checkout; the repository's own is rounded to Q8_0.
EXACT = Path(os.environ.get("TANDEM_SHARED", SOURCE.resolve().parent / "shared/data")) / "oracle/qwen-a/f32.gguf"
LIMITS = json.loads((DATA / "preprocessor_config.json").read_text())


def edges():
    size = LIMITS["size"]
    return size["shortest_edge"], size["longest_edge"]


class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = Gguf.read(EXACT if EXACT.exists() else DATA / "model.gguf")
        cls.vision = round_patches(Gguf.read(DATA / "mmproj.gguf"))

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.home = self.folder / "home"
        self.home.mkdir()
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), "HF_HUB_OFFLINE": "1",
                            **{k: v for k, v in os.environ.items() if k.startswith(("ASAN_", "UBSAN_"))}}

    def run_tandem(self, *args):
        return subprocess.run([TANDEM, *map(str, args)], stdin=subprocess.DEVNULL, capture_output=True, timeout=300,
                              env=self.environment)

    def succeeds(self, *args):
        done = self.run_tandem(*args)
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        return done.stdout.decode()

    def assert_answers(self, model, prompt):
        """Says something; returns the notes."""
        done = self.run_tandem("run", model, prompt, "--max-tokens", "5", "--temperature", "0", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        figures = json.loads(done.stdout)["figures"]
        self.assertGreater(figures["answer_tokens"] + figures["reasoning_tokens"], 0)
        return done.stderr.decode()

    def fresh(self):
        """A copy of the model that a test may change."""
        copy = Gguf()
        copy.metadata, copy.tensors = dict(self.model.metadata), dict(self.model.tensors)
        return copy

    def write(self, gguf, name="m.gguf", folder=None):
        path = (folder or self.folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        gguf.write(path)
        return path

    def split_layout(self, folder):
        """Model and vision file side by side, with the limits of the checkpoint."""
        self.write(self.vision, "mmproj-F32.gguf", folder)
        (folder / "preprocessor_config.json").write_text(json.dumps(LIMITS))
        return self.write(self.model, "Qwen3.5-tiny-F32.gguf", folder)

    def logits(self, model, content):
        messages, output = self.folder / "m.json", self.folder / "o.npy"
        messages.write_text(json.dumps([{"role": "user", "content": content}]))
        answer = json.loads(self.succeeds("logits", model, "--messages", messages, "-o", output, "--greedy",
                                          len(CASE["greedy"]), "--ban-from", CASE["banned_from"]))
        return answer, output.read_bytes()

    def about_the_picture(self, model):
        return self.logits(model, [{"type": "image", "image": PICTURE}, {"type": "text", "text": CASE["content"][1]["text"]}])

    def check(self, model, *options):
        done = self.run_tandem("check", model, "--json", *options)
        items = {item["name"]: item for item in json.loads(done.stdout)["items"]} if done.stdout else {}
        return done.returncode, items

    def assert_sound(self, model, *layout):
        code, items = self.check(model, "--quick")
        self.assertEqual(code, 0, items)
        for words in layout:
            self.assertIn(words, items["layout"]["text"])
        return items


class Layouts(Base):
    def test_split_with_a_vision_file(self):
        model = self.split_layout(self.folder / "split")
        items = self.assert_sound(model, "text model alone", "MTP block inside", "tied head", "number format")
        self.assertEqual(items["vision"]["verdict"], "ok")
        self.assertIn("2 layers of width 48", items["vision"]["text"])
        self.assertEqual(items["vision numbers"]["verdict"], "ok")
        answer, _ = self.about_the_picture(model)
        self.assertEqual(answer["ids"], CASE["ids"])
        if EXACT.exists():
            self.assertEqual(answer["tokens"], CASE["greedy"])

    def test_without_the_mtp_block(self):
        plain = self.fresh()
        plain.set("qwen35.block_count", 4, plain.metadata["qwen35.block_count"][1] - 1)
        del plain.metadata["qwen35.nextn_predict_layers"]
        plain.tensors = {name: t for name, t in plain.tensors.items() if not name.startswith("blk.8.")}
        path = self.write(plain)
        items = self.assert_sound(path, "text model alone, tied head")
        self.assertEqual(items["vision"]["verdict"], "note")
        self.assertEqual(self.logits(path, "Hello"), self.logits(self.write(self.model, "with.gguf"), "Hello"))

    def test_a_head_of_its_own(self):
        untied = self.fresh()
        untied.tensors["output.weight"] = untied.tensors["token_embd.weight"]
        path = self.write(untied)
        self.assert_sound(path, "head of its own")
        self.assertEqual(self.logits(path, "Hello"), self.logits(self.write(self.model, "tied.gguf"), "Hello"))
        self.assertIn("output head", self.succeeds("show", path))

    def test_parts(self):
        first = split_in_two(self.model, self.folder, "m")
        self.assert_sound(first, "2 parts")
        self.assertEqual(self.logits(first, "Hello"), self.logits(self.write(self.model), "Hello"))
        (self.folder / "m-00002-of-00002.gguf").unlink()
        code, items = self.check(first)
        self.assertEqual(code, 1)
        self.assertEqual(items["file"]["verdict"], "FAILED")
        self.assertIn("m-00002-of-00002.gguf", items["file"]["text"])

    def test_dynamic_mixes(self):
        """One type here, another there, as "UD" files have them."""
        recipe = self.folder / "recipe"
        recipe.write_text("blk.0.ffn_* Q6_K\nblk.1.ffn_up.weight Q5_0\nblk.1.ffn_* IQ4_XS\nblk.2.attn_qkv.weight Q3_K\n"
                          "token_embd.weight Q8_0\n")
        path = self.folder / "UD-Q4_K_XL.gguf"
        self.succeeds("quantize", SOURCE / "assets/demo/qwen3.5-demo.gguf", path, "Q4_K_M", "--recipe", recipe,
                      "--allow-requantize")
        items = self.assert_sound(path, "number formats")
        self.assertGreaterEqual(int(items["layout"]["text"].split(", ")[-1].split()[0]), 5)
        self.assert_answers(path, "Hello")


class Merged(Base):
    """Ollama's packages with text, vision and MTP in one file."""

    def put(self, name="qwen3.5:4b"):
        """The merged file in Ollama's store."""
        merged = merge_as_ollama(self.model, self.vision, edges())
        data = self.write(merged, "merged.gguf").read_bytes()
        store = self.home / ".ollama/models"
        layers = []
        about = {"model_format": "gguf", "model_family": "qwen35", "file_type": "F32", "renderer": "qwen3.5"}
        for kind, blob in (("image.config", json.dumps(about).encode()), ("ollama.image.model", data),
                           ("ollama.image.license", b"Apache-2.0")):
            digest = hashlib.sha256(blob).hexdigest()
            (store / "blobs").mkdir(parents=True, exist_ok=True)
            (store / f"blobs/sha256-{digest}").write_bytes(blob)
            layers.append({"mediaType": f"application/vnd.{kind}", "digest": "sha256:" + digest, "size": len(blob)})
        manifest = store / "manifests/registry.ollama.ai/library" / name.replace(":", "/")
        manifest.parent.mkdir(parents=True)
        manifest.write_text(json.dumps({"schemaVersion": 2, "config": layers[0], "layers": layers[1:]}))
        return store / "blobs" / ("sha256-" + hashlib.sha256(data).hexdigest())

    def test_lists_shows_checks_and_runs(self):
        blob = self.put()
        (listed,) = json.loads(self.succeeds("list", "--json"))
        self.assertEqual((listed["name"], listed["origin"], listed["path"]), ("ollama:qwen3.5:4b", "Ollama", str(blob)))
        sheet = json.loads(self.succeeds("show", "ollama:qwen3.5:4b", "--json"))
        parts = {part["name"] for part in sheet["components"]}
        self.assertLessEqual({"vision", "MTP", "DeltaNet", "attention"}, parts)
        self.assertEqual(sheet["shape"]["kv_heads"], 2)
        self.assertEqual(sheet["shape"]["attention_layers"], 2)
        code, items = self.check("ollama:qwen3.5:4b", "--quick")
        self.assertEqual(code, 0, items)
        self.assertIn("merged as in Ollama's earlier packages, MTP block inside, vision inside", items["layout"]["text"])
        self.assertEqual(items["hash"]["verdict"], "ok")
        self.assertIn("inside", items["vision"]["text"])
        self.assert_answers("ollama:qwen3.5:4b", "What is this?")
        notes = self.assert_answers("ollama:qwen3.5:4b", f"What is {PICTURE}")
        self.assertIn("a-96x64.png: 96 x 64 pixels, seen as", notes)
        fit = json.loads(self.succeeds("fit", "ollama:qwen3.5:4b", "--json"))["models"][0]
        self.assertGreater(fit["table"][0]["vision_bytes"], 0)

    def test_says_what_the_split_files_say(self):
        self.put()
        merged = self.about_the_picture("ollama:qwen3.5:4b")
        self.assertEqual(merged, self.about_the_picture(self.split_layout(self.folder / "split")))
        if EXACT.exists():
            self.assertEqual(merged[0]["tokens"], CASE["greedy"])

    def test_a_projector_of_its_own_in_the_store(self):
        self.put()
        manifest = self.home / ".ollama/models/manifests/registry.ollama.ai/library/other/latest"
        manifest.parent.mkdir(parents=True)
        layers = []
        for kind, gguf in (("model", self.model), ("projector", self.vision)):
            data = self.write(gguf, kind).read_bytes()
            digest = hashlib.sha256(data).hexdigest()
            (self.home / f".ollama/models/blobs/sha256-{digest}").write_bytes(data)
            layers.append({"mediaType": f"application/vnd.ollama.image.{kind}", "digest": "sha256:" + digest})
        manifest.write_text(json.dumps({"schemaVersion": 2, "layers": layers}))
        code, items = self.check("ollama:other", "--quick")
        self.assertEqual(code, 0, items)
        self.assertEqual(items["vision"]["verdict"], "ok")
        self.assertIn("seen as", self.assert_answers("ollama:other", f"What is {PICTURE}"))


class Damaged(Base):
    def assert_failed(self, path, item, *words):
        code, items = self.check(path, "--quick")
        self.assertEqual(code, 1, items)
        self.assertEqual(items[item]["verdict"], "FAILED", items)
        for word in words:
            self.assertIn(word, items[item]["text"])

    def test_a_tensor_that_is_missing(self):
        for layer in ("blk.1.ssm_out.weight", "blk.3.attn_q_norm.weight", "token_embd.weight"):
            broken = self.fresh()
            del broken.tensors[layer]
            self.assert_failed(self.write(broken), "tensors", layer)

    def test_a_tensor_of_another_shape(self):
        broken = self.fresh()
        tensor = broken.tensors["blk.2.ffn_gate.weight"]
        broken.tensors["blk.2.ffn_gate.weight"] = Tensor(tensor.dims[::-1], F32, tensor.data)
        self.assert_failed(self.write(broken), "tensors", "blk.2.ffn_gate.weight", "112")

    def test_a_key_that_is_missing_or_wrong(self):
        for key in ("qwen35.ssm.state_size", "qwen35.embedding_length", "qwen35.rope.freq_base"):
            broken = self.fresh()
            del broken.metadata[key]
            code, items = self.check(self.write(broken), "--quick")
            self.assertEqual(code, 1, items)
            self.assertIn(key, json.dumps(items))
        broken = self.fresh()
        broken.set("general.architecture", STRING, "mamba")
        code, items = self.check(self.write(broken), "--quick")
        self.assertEqual(code, 1)
        self.assertIn("mamba", json.dumps(items))

    def test_values_that_are_no_numbers(self):
        broken = self.fresh()
        tensor = broken.tensors["blk.0.ffn_up.weight"]
        broken.tensors["blk.0.ffn_up.weight"] = Tensor(tensor.dims, F32, struct.pack("<f", float("nan")) + tensor.data[4:])
        self.assert_failed(self.write(broken), "numbers", "blk.0.ffn_up.weight: row 0")

    def test_a_hole(self):
        broken = self.fresh()
        tensor = broken.tensors["blk.4.ffn_down.weight"]
        broken.tensors["blk.4.ffn_down.weight"] = Tensor(tensor.dims, F32, bytes(len(tensor.data)))
        self.assert_failed(self.write(broken), "numbers", "blk.4.ffn_down.weight")

    def test_a_file_that_ends_early_or_is_no_file(self):
        data = self.write(self.model).read_bytes()
        for piece in (data[:-100], data[:5000], data[:10], b"not a model at all", b"GGUF" + b"\xff" * 100):
            path = self.folder / "cut.gguf"
            path.write_bytes(piece)
            self.assert_failed(path, "file")

    def test_tokenizer_and_template(self):
        broken = self.fresh()
        del broken.metadata["tokenizer.chat_template"]
        self.assert_failed(self.write(broken), "template", "no chat template")
        broken.set("tokenizer.chat_template", STRING, "{% if %}")
        self.assert_failed(self.write(broken), "template")
        broken = self.fresh()
        del broken.metadata["tokenizer.ggml.tokens"]
        self.assert_failed(self.write(broken), "tokenizer", "tokenizer.ggml.tokens")

    def test_logits_that_are_no_numbers(self):
        """Every weight is a number, and yet: the norm before the head overflows."""
        broken = self.fresh()
        broken.tensors["output_norm.weight"] = f32((64,), [3e38] * 64)
        code, items = self.check(self.write(broken))
        self.assertEqual(code, 1, items)
        self.assertIn("no numbers", items["perplexity"]["text"])

    def test_vision_files(self):
        model = self.split_layout(self.folder / "split")
        vision = self.folder / "split/mmproj-F32.gguf"
        whole = vision.read_bytes()
        vision.write_bytes(whole[:-5000])
        self.assert_failed(model, "vision", "mmproj-F32.gguf")
        broken = Gguf.read(DATA / "mmproj.gguf")
        del broken.tensors["v.blk.1.ffn_up.bias"]
        broken.write(vision)
        self.assert_failed(model, "vision", "v.blk.1.ffn_up.bias")
        broken = Gguf.read(DATA / "mmproj.gguf")
        tensor = broken.tensors["v.blk.1.ln1.weight"]
        broken.tensors["v.blk.1.ln1.weight"] = f32(tensor.dims, [float("inf")] * 48)
        broken.write(vision)
        self.assert_failed(model, "vision numbers", "v.blk.1.ln1.weight")
        wide = Gguf.read(DATA / "mmproj.gguf")
        wide.tensors["mm.2.weight"] = f32((192, 32), wide.tensors["mm.2.weight"].floats()[:192 * 32])
        wide.tensors["mm.2.bias"] = f32((32,), [0.0] * 32)
        wide.write(vision)
        code, items = self.check(model, "--quick")
        self.assertEqual(code, 0, items)
        self.assertEqual(items["vision"]["verdict"], "note")
        self.assertIn("another model's", items["vision"]["text"])

    def test_a_merged_file(self):
        merged = merge_as_ollama(self.model, self.vision, edges())
        del merged.tensors["v.blk.0.attn_k.weight"]
        code, items = self.check(self.write(merged), "--quick")
        self.assertEqual(code, 1, items)
        self.assertIn("v.blk.0.attn_k.weight", json.dumps(items))


if __name__ == "__main__":
    unittest.main()
