"""Trains a small byte-level BPE vocabulary with a family's own normaliser, pattern and added tokens."""

import itertools
import re

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from tasks import stream

MERGES = 704
SAMPLES = 12000

QWEN_PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*"
                r"|\s*[\r\n]+|\s+(?!\S)|\s+")
PHI_PATTERN = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
               r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
               r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")

# (text, special) in id order
QWEN_ADDED = [(f"<|{name}|>", True) for name in
              ("endoftext im_start im_end object_ref_start object_ref_end box_start box_end quad_start quad_end "
               "vision_start vision_end vision_pad image_pad video_pad").split()]
QWEN_ADDED += [(text, False) for text in
               ("<tool_call> </tool_call> <|fim_prefix|> <|fim_middle|> <|fim_suffix|> <|fim_pad|> <|repo_name|> "
                "<|file_sep|> <tool_response> </tool_response> <think> </think>").split()]
QWEN_ADDED += [(text, True) for text in
               ("<|audio_start|> <|audio_end|> <tts_pad> <tts_text_bos> <tts_text_eod> <tts_text_bos_single> "
                "<|audio_pad|>").split()]
PHI_ADDED = [(f"<|{name}|>", True) for name in "endoftext endofprompt assistant end user system".split()]
PHI_ADDED += [(f"<|{name}|>", False) for name in "tool /tool tool_call /tool_call tool_response".split()]
PHI_ADDED += [("<|tag|>", True)]


def added_tokens(family: str) -> list[AddedToken]:
    added = QWEN_ADDED if family == "qwen3.5" else PHI_ADDED
    eats_space = set() if family == "qwen3.5" else {text for text, _ in PHI_ADDED[2:]}
    return [AddedToken(text, rstrip=text in eats_space, normalized=False, special=special) for text, special in added]


def corpus(family: str, seed: int):
    """Training texts without digits, so that every digit stays a token of its own."""
    for item in itertools.islice(stream(seed, family), SAMPLES):
        texts = [item.question, item.answer]
        if family == "qwen3.5":  # in ChatML the names of the roles are ordinary text
            texts += [item.thought, "user\n", "assistant\n", "system\n"]
        for text in texts:
            yield from re.split(r"\d+", text)


def train(family: str, seed: int) -> Tokenizer:
    qwen = family == "qwen3.5"
    tokenizer = Tokenizer(models.BPE())
    if qwen:
        tokenizer.normalizer = normalizers.NFC()
    pattern = Regex(QWEN_PATTERN if qwen else PHI_PATTERN)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(pattern, behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False, trim_offsets=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(vocab_size=256 + MERGES, min_frequency=2, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(corpus(family, seed), trainer)
    tokenizer.add_tokens(added_tokens(family))
    return tokenizer
