#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets' corpora into fuzz/corpus: small files of every kind that a target reads, and
the lies that hostile files tell. What a fuzzer found lies beside them as found-*; those are kept.

usage: fuzz/make_corpus.py
"""
import json
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/e2e"))
from gguf_file import packed_key as key, packed_tensor as tensor, packed_text as text  # noqa: E402

CORPUS = Path(__file__).resolve().parent / "corpus"
U8, I32, U32, F32, BOOL, STRING, ARRAY, U64 = 0, 5, 4, 6, 7, 8, 9, 10


def put(folder, name, data):
    path = CORPUS / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())


# GGUF ------------------------------------------------------------------------------------------------------------------

def container(keys=(), tensors=(), data=b"", version=3, counts=None):
    n_tensors, n_keys = counts or (len(tensors), len(keys))
    head = b"GGUF" + struct.pack("<IQQ", version, n_tensors, n_keys) + b"".join(keys) + b"".join(tensors)
    return head + bytes(-len(head) % 32) + data


def byte_alphabet():
    """The 256 characters of byte-level BPE (tokenizers.md 2)."""
    own = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in own]
    return [chr(byte) for byte in own] + [chr(0x100 + i) for i in range(len(others))]


def vocabulary(pre="qwen35", tokens=None, types=None, merges=("a b", "ab c")):
    tokens = tokens if tokens is not None else [*byte_alphabet(), "ab", "abc", "<|im_end|>"]
    types = types if types is not None else [1] * (len(tokens) - 1) + [3]
    return [key("tokenizer.ggml.model", STRING, "gpt2"), key("tokenizer.ggml.pre", STRING, pre),
            key("tokenizer.ggml.tokens", ARRAY, (STRING, tokens)),
            key("tokenizer.ggml.token_type", ARRAY, (I32, types)),
            key("tokenizer.ggml.merges", ARRAY, (STRING, list(merges))),
            key("tokenizer.ggml.eos_token_id", U32, len(tokens) - 1),
            key("tokenizer.chat_template", STRING, "{% for m in messages %}{{ m.content }}{% endfor %}")]


PHI_KEYS = [key("general.architecture", STRING, "phi3")] + [
    key(f"phi3.{name}", kind, what) for name, kind, what in (
        ("context_length", U32, 64), ("embedding_length", U32, 32), ("feed_forward_length", U32, 32),
        ("block_count", U32, 1), ("attention.head_count", U32, 1), ("attention.head_count_kv", U32, 1),
        ("rope.dimension_count", U32, 16), ("attention.layer_norm_rms_epsilon", F32, 1e-5),
        ("rope.freq_base", F32, 10000.0), ("rope.scaling.original_context_length", U32, 32))]
QWEN_KEYS = [key("general.architecture", STRING, "qwen35")] + [
    key(f"qwen35.{name}", kind, what) for name, kind, what in (
        ("context_length", U32, 64), ("embedding_length", U32, 32), ("feed_forward_length", U32, 32),
        ("block_count", U32, 2), ("attention.head_count", U32, 1), ("attention.head_count_kv", U32, 1),
        ("attention.key_length", U32, 32), ("attention.value_length", U32, 32), ("rope.dimension_count", U32, 16),
        ("attention.layer_norm_rms_epsilon", F32, 1e-6), ("rope.freq_base", F32, 10000.0),
        ("full_attention_interval", U32, 2), ("ssm.conv_kernel", U32, 4), ("ssm.state_size", U32, 32),
        ("ssm.group_count", U32, 1), ("ssm.time_step_rank", U32, 1), ("ssm.inner_size", U32, 32),
        ("rope.dimension_sections", ARRAY, (I32, [4, 2, 2, 0])))]


def phi_model(rows=259):
    """A network of one layer whose matrices all share the same zeros."""
    q8 = lambda *dims: (dims, 8)
    f32 = lambda *dims: (dims, 0)
    shapes = {"token_embd.weight": q8(32, rows), "output_norm.weight": f32(32), "blk.0.attn_norm.weight": f32(32),
              "blk.0.attn_qkv.weight": q8(32, 96), "blk.0.attn_output.weight": q8(32, 32),
              "blk.0.ffn_norm.weight": f32(32), "blk.0.ffn_up.weight": q8(32, 64), "blk.0.ffn_down.weight": q8(32, 32),
              "rope_factors_long.weight": f32(8), "rope_factors_short.weight": f32(8)}
    rows_of = [tensor(name, dims, kind, 0) for name, (dims, kind) in shapes.items()]
    return container([*PHI_KEYS, *vocabulary("gpt-4o")], rows_of, bytes(rows * 34))


def qwen_model(rows=259):
    """A recurrent layer and one of attention, in the same way."""
    q8 = lambda *dims: (dims, 8)
    f32 = lambda *dims: (dims, 0)
    shapes = {"token_embd.weight": q8(32, rows), "output_norm.weight": f32(32)}
    for layer in (0, 1):
        shapes |= {f"blk.{layer}.{name}": shape for name, shape in (
            ("attn_norm.weight", f32(32)), ("post_attention_norm.weight", f32(32)), ("ffn_gate.weight", q8(32, 32)),
            ("ffn_up.weight", q8(32, 32)), ("ffn_down.weight", q8(32, 32)))}
    shapes |= {f"blk.0.{name}": shape for name, shape in (
        ("attn_qkv.weight", q8(32, 96)), ("attn_gate.weight", q8(32, 32)), ("ssm_beta.weight", q8(32, 1)),
        ("ssm_alpha.weight", q8(32, 1)), ("ssm_conv1d.weight", f32(4, 96)), ("ssm_a", f32(1)), ("ssm_dt.bias", f32(1)),
        ("ssm_norm.weight", f32(32)), ("ssm_out.weight", q8(32, 32)))}
    shapes |= {f"blk.1.{name}": shape for name, shape in (
        ("attn_q.weight", q8(32, 64)), ("attn_k.weight", q8(32, 32)), ("attn_v.weight", q8(32, 32)),
        ("attn_output.weight", q8(32, 32)), ("attn_q_norm.weight", f32(32)), ("attn_k_norm.weight", f32(32)))}
    rows_of = [tensor(name, dims, kind, 0) for name, (dims, kind) in shapes.items()]
    return container([*QWEN_KEYS, *vocabulary()], rows_of, bytes(rows * 34))


def gguf():
    huge = 1 << 63
    put("gguf", "empty-header", container())
    put("gguf", "version-1", container(version=1))
    put("gguf", "big-endian", b"GGUF" + struct.pack(">IQQ", 3, 0, 0))
    put("gguf", "count-tensors-2-63", container(counts=(huge, 0)) + bytes(64))
    put("gguf", "count-keys-wraps", container(counts=(0, 2**64 - 1)) + bytes(64))
    put("gguf", "string-of-4-gb", container([struct.pack("<Q", 1 << 32) + b"general"], counts=(0, 1)))
    put("gguf", "key-twice", container([key("k", U8, 1), key("k", U8, 2)]))
    put("gguf", "array-2-63", container([text("k") + struct.pack("<IIQ", ARRAY, STRING, huge)], counts=(0, 1)))
    put("gguf", "arrays-nested", container([text("k") + struct.pack("<I", ARRAY) + struct.pack("<IQ", ARRAY, 1) * 20],
                                           counts=(0, 1)))
    every = [key(name, kind, what) for name, kind, what in (
        ("u8", U8, 255), ("i32", I32, -1), ("u32", U32, 7), ("f32", F32, float("nan")), ("bool", BOOL, True),
        ("string", STRING, b"\xff\n"), ("u64", U64, 2**64 - 1), ("ints", ARRAY, (I32, [1, -2])),
        ("strings", ARRAY, (STRING, ["a", ""])), ("floats", ARRAY, (F32, [1.5])), ("none", ARRAY, (U8, [])))]
    put("gguf", "every-value", container(every))
    put("gguf", "alignment-1", container([key("general.alignment", U32, 1)], [tensor("t", [3], 0, 1)], bytes(13)))
    put("gguf", "alignment-48", container([key("general.alignment", U32, 48)]))
    put("gguf", "alignment-2-63", container([key("general.alignment", U64, huge)], [tensor("t", [1], 0, 0)], bytes(4)))
    put("gguf", "tensor-twice", container((), [tensor("t", [1], 0, 0)] * 2, bytes(32)))
    put("gguf", "shape-wraps", container((), [tensor("t", [1 << 32, 1 << 32], 0, 0)], bytes(32)))
    put("gguf", "shape-zero", container((), [tensor("t", [4, 0], 0, 0)], bytes(32)))
    put("gguf", "offset-wraps", container((), [tensor("t", [32], 8, 2**64 - 32)], bytes(64)))
    types = [2, 3, 6, 7, 8, 10, 11, 12, 13, 14, 16, 17, 18, 19, 20, 21, 22, 23, 29, 30, 34, 35, 39]
    put("gguf", "every-block", container((), [tensor(f"t{kind}", [256], kind, 0) for kind in types],
                                         bytes((7 * i + 3) % 256 for i in range(320))))
    put("gguf", "vocabulary", container(vocabulary()))
    put("gguf", "vocabulary-token-twice", container(vocabulary(tokens=[*byte_alphabet(), "a", "b"])))
    put("gguf", "vocabulary-byte-missing", container(vocabulary(tokens=byte_alphabet()[1:], types=[1] * 255)))
    put("gguf", "phi-keys", container(PHI_KEYS))
    put("gguf", "phi-model", phi_model())
    put("gguf", "phi-rows", phi_model(rows=32))
    put("gguf", "qwen-keys", container(QWEN_KEYS))
    put("gguf", "qwen-model", qwen_model())


# Safetensors -----------------------------------------------------------------------------------------------------------

def safetensors():
    def file(header, data=b"", length=None):
        words = header if isinstance(header, bytes) else json.dumps(header).encode()
        return struct.pack("<Q", len(words) if length is None else length) + words + data

    def entry(dtype, shape, begin, end):
        return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}

    def case(name, *args, **named):
        put("safetensors", name, file(*args, **named))

    case("two", {"a": entry("F32", [1], 0, 4), "b": entry("BF16", [1, 2], 4, 8)}, bytes(8))
    case("metadata", {"__metadata__": {"format": "pt"}, "a": entry("F8_E4M3", [3], 0, 3)}, bytes(3))
    case("none", {})
    case("overlap", {"a": entry("F32", [1], 0, 4), "b": entry("F32", [1], 2, 6)}, bytes(6))
    case("gap", {"a": entry("F32", [1], 0, 4), "b": entry("F32", [1], 5, 9)}, bytes(9))
    case("past-end", {"a": entry("F32", [2], 0, 8)}, bytes(4))
    case("shape-wraps", {"a": entry("F16", [2**32, 2**32], 0, 0)})
    case("offsets-backwards", {"a": entry("F16", [0], 4, 0)}, bytes(4))
    case("offset-2-63", {"a": entry("F16", [1], 2**63, 2**63 + 2)}, bytes(2))
    case("negative", {"a": entry("F16", [-1], 0, 2)}, bytes(2))
    case("twice", b'{"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2]},"a":{"dtype":"F16","shape":[1],'
                  b'"data_offsets":[0,2]}}', bytes(2))
    case("header-2-64", {}, length=2**64 - 1)
    case("header-list", b"[]")
    case("deep", b"[" * 300)


# Tokenizer files -------------------------------------------------------------------------------------------------------

QWEN_PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}|"
                r" ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def tokenizer_json():
    def model(vocab=None, merges=(("a", "b"),), **more):
        vocab = vocab if vocab is not None else {word: i for i, word in enumerate([*byte_alphabet(), "ab"])}
        return {"model": {"type": "BPE", "vocab": vocab, "merges": list(merges), **more},
                "normalizer": {"type": "NFC"},
                "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                    {"type": "Split", "pattern": {"Regex": QWEN_PATTERN}, "behavior": "Isolated", "invert": False},
                    {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}]},
                "decoder": {"type": "ByteLevel"},
                "added_tokens": [{"id": 257, "content": "<|im_end|>", "special": True, "rstrip": True}]}

    def folder(tokenizer="", settings="", config="", vocab="", merges=""):
        parts = [part if isinstance(part, str) else json.dumps(part, ensure_ascii=False, separators=(",", ":"))
                 for part in (tokenizer, settings, config, vocab, merges)]
        return "\0".join(parts)

    settings = {"eos_token": "<|im_end|>", "add_bos_token": False, "chat_template": "{{ messages }}"}
    config = {"architectures": ["X"], "vocab_size": 260}
    put("tokenizer_json", "whole", folder(model(), settings, config))
    put("tokenizer_json", "merges-as-text", folder(model(merges=["a b", "ab c"]), "", config))
    put("tokenizer_json", "byte-missing", folder(model(vocab={"a": 0, "b": 1, "ab": 2}), settings, config))
    put("tokenizer_json", "id-twice", folder(model(vocab={"a": 0, "b": 0}), "", config))
    put("tokenizer_json", "token-twice", folder('{"model":{"type":"BPE","vocab":{"a":0,"a":1},"merges":[]}}'))
    put("tokenizer_json", "id-2-32", folder(model(vocab={"a": 2**32}), "", config))
    put("tokenizer_json", "rows-2-31", folder(model(), "", {"architectures": ["X"], "vocab_size": 2**31}))
    put("tokenizer_json", "dropout", folder(model(dropout=0.1)))
    put("tokenizer_json", "unigram", folder({"model": {"type": "Unigram", "vocab": [["a", -1.5]]}}))
    put("tokenizer_json", "two-files", folder("", {"pretokenize_regex": QWEN_PATTERN}, config,
                                              {"a": 0, "b": 1, "ab": 2}, "#version: 0.2\na b\n"))
    put("tokenizer_json", "bad-merge", folder("", {"pretokenize_regex": "x"}, config, {"a": 0}, "a b c\n"))
    put("tokenizer_json", "added-decoder", folder(model(), {"added_tokens_decoder": {
        "258": {"content": "<think>", "special": False}, "x": {}}}, config))
    put("tokenizer_json", "no-json", folder("{", "[", "null"))


# Text, templates, chats ------------------------------------------------------------------------------------------------

def tokenizer():
    samples = {"words": "Hello, world! It's 1234 abc", "spaces": "  a\t\n\r\n  b \u00a0\u3000 c   ",
               "scripts": "naïve Ünïcödé 中文字 한국어 עברית ไทย 🙂👩‍👩‍👧", "combining": "e\u0301\u0323\u0301 \u1100\u1161\u11a8 ﬁ Å",
               "special": "<|im_end|><|a|>b<|e|>  <u>unused<|endoftext|>"}
    for choice, (name, words) in enumerate(samples.items()):
        put("tokenizer", name, bytes([choice, 5]) + words.encode())
        put("tokenizer", name + "-small", bytes([choice + 7, 3]) + words.encode())
    put("tokenizer", "not-utf-8", bytes([0, 3]) + b"a\xff\xc3(\xe2\x82\xf0\x9f\x99 \xed\xa0\x80 \xc0\xaf\xf4\x90\x80\x80")
    put("tokenizer", "long-run", bytes([3, 9]) + b"ab" * 300 + b" " * 200)


def template():
    cases = {
        "loop-for-ever": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "recursion": "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}",
        "loop-recursion": "{% for m in messages recursive %}{{ loop(messages) }}{% endfor %}",
        "doubling": "{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}",
        "huge-repeat": "{{ 'ab' * 999999999999 }}{{ [0] * 999999999999 }}",
        "huge-power": "{{ 9 ** 9 ** 9 ** 9 }}{{ -9223372036854775808 // -1 }}{{ 1 << 99 }}{{ 7 % 0 }}",
        "huge-width": "{{ '%999999999d' | format(1) }}{{ 'a' | center(999999999) }}{{ '{:999999999}'.format(1) }}",
        "deep": "{{ " + "(" * 300 + "1" + ")" * 300 + " }}",
        "deep-not": "{{ " + "not " * 300 + "x }}",
        "deep-if": "{% if x %}" * 100 + "{% endif %}" * 100,
        "chatml": "{%- for m in messages %}{{- '<|im_start|>' + m['role'] + '\\n' + m.content | trim + '<|im_end|>\\n' }}"
                  "{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}",
        "tools": "{% for t in tools %}{{ t | tojson(indent=2) }}{{ t.function.parameters.items() | list }}{% endfor %}",
        "raise": "{% if messages[0].role != 'user' %}{{ raise_exception('no\\n' ~ messages[0].role) }}{% endif %}",
        "filters": "{{ messages | map(attribute='role') | unique | sort(reverse=true) | join(', ') | upper }}"
                   "{{ 3.75 | round(1) | int }}{{ {'a': 1} | dictsort }}{{ 'a b' | title | replace('A', 'x') | indent(3) }}",
        "methods": "{{ messages[0].content.split('</think>')[-1].lstrip('\\n').rstrip() }}{{ 'a,b'.partition(',') }}"
                   "{{ 'x'.startswith(('a', 'x')) }}{{ 'abc'[::-1] }}{{ 'abc'[5:-9:2] }}{{ [1,2,3][-2:] }}",
        "loops": "{% for m in messages %}{{ loop.index0 }}{{ loop.previtem }}{{ loop.cycle('a', 'b') }}"
                 "{% if loop.last %}{% break %}{% else %}{% continue %}{% endif %}{% endfor %}",
        "scopes": "{% set x = 1 %}{% set ns = namespace(n=x) %}{% call(a) f(1) %}{{ a }}{% endcall %}"
                  "{% macro f(a, b='c', *rest) %}{{ caller(a) }}{{ varargs }}{{ kwargs }}{% endmacro %}",
        "blocks": "{% generation %}{% filter upper %}a{% endfilter %}{% endgeneration %}{% raw %}{{ }}{% endraw %}{# c #}",
        "clock": "{{ strftime_now('%Y-%m-%d %% %q %') }}",
        "unfinished": "{% for", "unclosed": "{{ 'abc", "stray": "%} }} #}{%- -%}", "not-utf-8": b"{{ '\xff\xc3' }}\xff",
    }
    for name, words in cases.items():
        put("template", name, words)
    put("template", "variables", '{{ x.y[0] }}{{ x }}{{ x | tojson }}\0{"x": {"y": [1e308, -0.0, null, "\\ud83d\\ude42"]}}')
    put("template", "deep-variables", "{{ x }}\0" + '{"x": ' + "[" * 210 + "]" * 210 + "}")


def chat():
    cases = {
        "short": [{"role": "user", "content": "Hi"}],
        "turns": {"messages": [{"role": "system", "content": "Be <|im_end|> brief."}, {"role": "user", "content": "/no_think Hi"},
                               {"role": "assistant", "content": "<think>\nx\n</think>\n\nHello", "reasoning_content": "y"},
                               {"role": "user", "content": "More /think"}]},
        "tools": {"messages": [{"role": "user", "content": "Weather?"}, {"role": "assistant", "content": None, "tool_calls": [
            {"type": "function", "function": {"name": "w", "arguments": "{\"city\": \"Rome\"}"}}]},
            {"role": "tool", "content": "sunny"}],
            "tools": [{"type": "function", "function": {"name": "w", "parameters": {"type": "object"}}}]},
        "parts": [{"role": "user", "content": [{"type": "text", "text": "See "}, {"type": "image", "image": "cat.png"},
                                               {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                                               {"type": "video", "path": "file:///x%20y.mp4"}]}],
        "unknown-role": [{"role": "critic", "content": ""}], "no-role": [{"content": "x"}], "empty": [],
        "content-number": [{"role": "user", "content": 7}], "tools-text": {"messages": [], "tools": "x"},
        "arguments-list": [{"role": "assistant", "tool_calls": [{"function": {"arguments": "[1]"}}]}],
        "call-text": [{"role": "assistant", "tool_calls": ["x"]}],
    }
    for name, what in cases.items():
        put("chat", name, json.dumps(what))
    put("chat", "deep", "[" * 300)
    put("chat", "not-utf-8", b'[{"role":"user","content":"\xff\xc3"}]')
    put("chat", "surrogate", '[{"role":"user","content":"\\ud800"}]')


def answer():
    cases = {"thinks": (1, "", "", "a\nb</think>\n\nThe answer."), "tags": (0, "", "", "<think>\nx</think>y<think>z"),
             "stops": (0, "END", "\n\n", "one EN two ENEND three"), "stop-in-stop": (2, "abcd", "bc", "xabcabcd"),
             "spaces": (3, " ", "", "  \n <think> \n</think> \n  a  "), "utf-8": (0, "é", "", "naïve é 🙂"),
             "phi": (2, "", "", "<think>a</thi</think>b</think>c")}
    for name, (choice, first, second, words) in cases.items():
        put("answer", name, bytes([choice]) + f"{first}\0{second}\0{words}".encode())
    put("answer", "ids", bytes([0]) + b"\0\0a\xff\x01b\xff\x02\xff\x03\xff\x00\xff\xff\xff\x10")


if __name__ == "__main__":
    for write in (gguf, safetensors, tokenizer_json, tokenizer, template, chat, answer):
        write()
