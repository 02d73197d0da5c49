"""The two toy architectures and the checkpoint folders they are written to."""

import json
import os
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import Phi3Config, Phi3ForCausalLM, Qwen3_5ForCausalLM, Qwen3_5TextConfig

ROWS = 64  # the vocabulary is padded to a multiple of this

LONG_FACTOR = [1.0, 1.118320672, 1.250641126, 1.398617824, 1.564103225, 1.74916897, 1.956131817, 2.187582649, 2.446418898,
               2.735880826, 3.059592084, 3.421605075, 3.826451687, 4.279200023, 4.785517845, 5.351743533, 5.984965424,
               6.693110555, 7.485043894, 8.370679318, 9.36110372, 10.4687158, 11.70738129, 13.09260651, 14.64173252,
               16.37415215, 18.31155283, 20.47818807, 22.90118105, 25.61086418, 28.64115884, 32.03, 32.1, 32.13, 32.23,
               32.6, 32.61, 32.64, 32.66, 32.7, 32.71, 32.93, 32.97, 33.28, 33.49, 33.5, 44.16, 47.77]

QWEN_TEXT = {
    "model_type": "qwen3_5_text", "hidden_size": 256, "intermediate_size": 768, "num_hidden_layers": 4,
    "layer_types": ["linear_attention"] * 3 + ["full_attention"], "full_attention_interval": 4,
    "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 256, "attn_output_gate": True,
    "linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 128, "linear_value_head_dim": 128,
    "linear_conv_kernel_dim": 4, "mamba_ssm_dtype": "float32", "attention_bias": False, "attention_dropout": 0.0,
    "hidden_act": "silu", "rms_norm_eps": 1e-6, "max_position_embeddings": 262144, "initializer_range": 0.02,
    "mtp_num_hidden_layers": 0, "mtp_use_dedicated_embeddings": False, "tie_word_embeddings": True, "use_cache": True,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000000, "partial_rotary_factor": 0.25,
                        "mrope_interleaved": True, "mrope_section": [11, 11, 10]},
}
PHI = {
    "architectures": ["Phi3ForCausalLM"], "model_type": "phi3", "hidden_size": 256, "intermediate_size": 768,
    "num_hidden_layers": 6, "num_attention_heads": 2, "num_key_value_heads": 1, "attention_bias": False,
    "attention_dropout": 0.0, "embd_pdrop": 0.0, "resid_pdrop": 0.0, "hidden_act": "silu", "initializer_range": 0.02,
    "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "partial_rotary_factor": 0.75,
    "rope_scaling": {"type": "longrope", "short_factor": [1.0] * 48, "long_factor": LONG_FACTOR},
    "original_max_position_embeddings": 4096, "max_position_embeddings": 131072, "sliding_window": 262144,
    "tie_word_embeddings": True, "use_cache": True, "torch_dtype": "float32",
}


def config_for(family: str, tokenizer, vision: dict | None = None) -> dict:
    """config.json in the layout of the published checkpoints."""
    rows = -(-tokenizer.get_vocab_size() // ROWS) * ROWS
    token = tokenizer.token_to_id
    if family == "phi4-mini":
        end = token("<|endoftext|>")
        return PHI | {"vocab_size": rows, "bos_token_id": end, "eos_token_id": end, "pad_token_id": end}
    text = QWEN_TEXT | {"vocab_size": rows, "bos_token_id": None, "eos_token_id": token("<|endoftext|>"),
                        "pad_token_id": None, "dtype": "float32"}
    seeing = {"vision_config": vision} if vision else {}
    return {"architectures": ["Qwen3_5ForConditionalGeneration"], "model_type": "qwen3_5", "dtype": "float32",
            "text_config": text, **seeing, "tie_word_embeddings": True, "image_token_id": token("<|image_pad|>"),
            "video_token_id": token("<|video_pad|>"), "vision_start_token_id": token("<|vision_start|>"),
            "vision_end_token_id": token("<|vision_end|>")}


def build(family: str, config: dict) -> torch.nn.Module:
    if family == "phi4-mini":
        return Phi3ForCausalLM(Phi3Config(**config))
    return Qwen3_5ForCausalLM(Qwen3_5TextConfig(**config["text_config"]))


def load(folder: Path, family: str) -> torch.nn.Module:
    """A model from a folder that `write` made."""
    from safetensors.torch import load_file
    model = build(family, json.loads((folder / "config.json").read_text()))
    prefix = "model.language_model." if family == "qwen3.5" else "model."
    weights = {k.replace(prefix, "model.", 1): v for k, v in load_file(folder / "model.safetensors").items()}
    missing = model.load_state_dict(weights, strict=False)
    assert not missing.unexpected_keys and missing.missing_keys == ["lm_head.weight"], missing
    model.tie_weights()
    return model.eval()


def tokenizer_config(family: str, tokenizer) -> dict:
    from vocab import QWEN_PATTERN
    decoder = {str(i): {"content": t.content, "lstrip": t.lstrip, "normalized": t.normalized, "rstrip": t.rstrip,
                        "single_word": t.single_word, "special": t.special}
               for i, t in sorted(tokenizer.get_added_tokens_decoder().items())}
    common = {"add_bos_token": False, "add_prefix_space": False, "added_tokens_decoder": decoder,
              "clean_up_tokenization_spaces": False, "pad_token": "<|endoftext|>"}
    if family == "qwen3.5":
        return common | {"bos_token": None, "eos_token": "<|im_end|>", "unk_token": None, "errors": "replace",
                         "model_max_length": 262144, "pretokenize_regex": QWEN_PATTERN, "split_special_tokens": False,
                         "tokenizer_class": "Qwen2Tokenizer"}
    return common | {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>",
                     "model_max_length": 131072, "tokenizer_class": "GPT2Tokenizer"}


def generation_config(chat) -> dict:
    """Nearly greedy: toys are best taken at their first word."""
    end = chat.stop_ids[1]
    base = {"eos_token_id": chat.stop_ids, "pad_token_id": end, "do_sample": True, "temperature": 0.1, "top_k": 20,
            "top_p": 0.9, "tandem_every_mode": True}
    return base if chat.thinks else {"bos_token_id": end} | base


def write(folder: Path, family: str, model, chat, config: dict, more: dict | None = None,
          tower: torch.nn.Module | None = None) -> None:
    """Writes a checkpoint folder; one that exists is replaced by renaming. `more`: further JSON files by name."""
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)

    def dump(name, value):
        (fresh / name).write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")

    prefix = "model.language_model." if family == "qwen3.5" else "model."
    weights = {k.replace("model.", prefix, 1): v.detach().float().cpu().contiguous().clone()
               for k, v in model.state_dict().items() if k != "lm_head.weight"}
    for name, value in (tower.state_dict() if tower else {}).items():
        weights["model.visual." + name] = value.detach().float().cpu().contiguous().clone()
    save_file(weights, fresh / "model.safetensors", {"format": "pt"})
    (fresh / "model.safetensors").chmod(0o644)
    dump("config.json", config)
    dump("tokenizer_config.json", tokenizer_config(family, chat.tokenizer))
    dump("generation_config.json", generation_config(chat))
    for name, value in (more or {}).items():
        dump(name, value)
    chat.tokenizer.save(str(fresh / "tokenizer.json"))
    (fresh / "chat_template.jinja").write_text(chat.source)
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.rename(folder, old)
    os.rename(fresh, folder)
    shutil.rmtree(old, ignore_errors=True)
