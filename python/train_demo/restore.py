"""Turns the GGUF file of the text demo back into weights and a vocabulary to go on from (WORK/qwen3.5.pt)."""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from gguf import GGUFReader, dequantize
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

import models as demo_models
import vocab

KEY_HEADS, VALUE_HEADS, VALUE_DIM = 2, 4, 128
KEYS = KEY_HEADS * 128  # rows of queries, and as many of keys, before the values

SAME = {"token_embd.weight": "embed_tokens.weight"}
NORMS = {"output_norm.weight": "norm.weight", "attn_norm.weight": "input_layernorm.weight",
         "post_attention_norm.weight": "post_attention_layernorm.weight", "attn_q_norm.weight": "self_attn.q_norm.weight",
         "attn_k_norm.weight": "self_attn.k_norm.weight"}
LAYER = {"ffn_gate.weight": "mlp.gate_proj.weight", "ffn_up.weight": "mlp.up_proj.weight",
         "ffn_down.weight": "mlp.down_proj.weight", "attn_q.weight": "self_attn.q_proj.weight",
         "attn_k.weight": "self_attn.k_proj.weight", "attn_v.weight": "self_attn.v_proj.weight",
         "attn_output.weight": "self_attn.o_proj.weight", "attn_qkv.weight": "linear_attn.in_proj_qkv.weight",
         "attn_gate.weight": "linear_attn.in_proj_z.weight", "ssm_beta.weight": "linear_attn.in_proj_b.weight",
         "ssm_alpha.weight": "linear_attn.in_proj_a.weight", "ssm_conv1d.weight": "linear_attn.conv1d.weight",
         "ssm_dt.bias": "linear_attn.dt_bias", "ssm_a": "linear_attn.A_log", "ssm_norm.weight": "linear_attn.norm.weight",
         "ssm_out.weight": "linear_attn.out_proj.weight"}
# First index of the value heads and how many neighbouring indices belong to one.
ORDERED = {"attn_qkv.weight": (2 * KEYS, VALUE_DIM), "ssm_conv1d.weight": (2 * KEYS, VALUE_DIM),
           "attn_gate.weight": (0, VALUE_DIM), "ssm_beta.weight": (0, 1), "ssm_alpha.weight": (0, 1),
           "ssm_dt.bias": (0, 1), "ssm_a": (0, 1), "ssm_out.weight": (0, VALUE_DIM)}


def grouped(x: torch.Tensor, begin: int, unit: int) -> torch.Tensor:
    """Value heads along the first axis: k0v0 k1v0 k0v1 k1v1 of the file -> k0v0 k0v1 k1v0 k1v1."""
    heads = x[begin:].unflatten(0, (VALUE_HEADS // KEY_HEADS, KEY_HEADS, unit)).transpose(0, 1).flatten(0, 2)
    return torch.cat([x[:begin], heads])


def weight(name: str, x: torch.Tensor) -> tuple[str, torch.Tensor]:
    """A tensor of the file as transformers has it."""
    prefix, _, rest = name.rpartition("blk.")[2].partition(".") if name.startswith("blk.") else ("", "", name)
    layer = f"model.layers.{prefix}." if prefix else "model."
    if rest in NORMS:
        return layer + NORMS[rest], x - 1
    if rest in SAME:
        return layer + SAME[rest], x
    if rest in ORDERED:
        begin, unit = ORDERED[rest]
        x = grouped(x.T, begin, unit).T if rest == "ssm_out.weight" else grouped(x, begin, unit)
    if rest == "ssm_a":
        x = torch.log(-x)
    if rest == "ssm_conv1d.weight":
        x = x[:, None]
    return layer + LAYER[rest], x.contiguous()


def weights(reader: GGUFReader) -> dict:
    found = {}
    for tensor in reader.tensors:
        if tensor.name.startswith(("v.", "mm.")):
            continue
        values = dequantize(tensor.data, tensor.tensor_type)
        shape = [int(n) for n in reversed(tensor.shape)]
        name, value = weight(tensor.name, torch.from_numpy(np.array(values, dtype=np.float32)).reshape(shape))
        found[name] = value
    found["lm_head.weight"] = found["model.embed_tokens.weight"]
    return found


def tokenizer(reader: GGUFReader) -> Tokenizer:
    def strings(key):
        field = reader.fields[key]
        return [bytes(field.parts[i]).decode() for i in field.data]

    tokens = strings("tokenizer.ggml.tokens")
    known = len(tokens) if vocab.QWEN_ADDED[0][0] not in tokens else tokens.index(vocab.QWEN_ADDED[0][0])
    merges = [tuple(m.split(" ")) for m in strings("tokenizer.ggml.merges")]
    out = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens[:known])}, merges=merges))
    out.normalizer = normalizers.NFC()
    out.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(vocab.QWEN_PATTERN), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False, trim_offsets=False)])
    out.decoder = decoders.ByteLevel()
    out.post_processor = processors.ByteLevel(trim_offsets=False)
    out.add_tokens(vocab.added_tokens("qwen3.5"))
    assert all(out.token_to_id(t) == tokens.index(t) for t, _ in vocab.QWEN_ADDED)
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gguf", type=Path)
    parser.add_argument("work", type=Path)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    reader = GGUFReader(args.gguf)
    tok, found = tokenizer(reader), weights(reader)
    model = demo_models.build("qwen3.5", demo_models.config_for("qwen3.5", tok))
    model.load_state_dict(found)
    tok.save(str(args.work / "qwen3.5.tokenizer.json"))
    torch.save(found, args.work / "qwen3.5.pt")
    (args.work / "qwen3.5.json").write_text(json.dumps({"from": args.gguf.name}))
    print(f"{len(found)} tensors, {tok.get_vocab_size()} tokens")


if __name__ == "__main__":
    main()
