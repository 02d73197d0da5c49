"""Trains one demo model on the endless stream of its family."""

import json
import math
import random
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import torch
import torch._dynamo
import torch.nn.functional as F

from tasks import stream

LENGTHS = [32, 48, 64, 96, 160, 256, 384]  # rows of a batch are padded to one of these


@dataclass
class Plan:
    """How long and how fast to train. Progress is the larger share of `tokens` and of `seconds` that is used up."""
    tokens: float
    seconds: float = math.inf
    lr: float = 2e-3
    warmup_tokens: float = 200e3
    decay: float = 0.4  # the last part of the training, in which the rate falls to zero
    step_tokens: int = 3072
    micro_tokens: int = 1536
    think_share: float = 0.55
    seed: int = 1
    compile: bool = True
    optimizer: str = "muon"


def batches(chat, plan: Plan, items=None):
    """(ids, targets, weights) of equal row length; the tokens of long answers weigh less. `items`: instead of the
    family's own stream."""
    rng = random.Random(plan.seed + 1)
    waiting = defaultdict(list)
    for item in items or stream(plan.seed, chat.family):
        think = chat.thinks and rng.random() < plan.think_share
        ids, start = chat.example(item.messages(), item.thought, item.answer, think)
        length = next((n for n in LENGTHS if n >= len(ids) - 1), None)
        if length is None:
            continue
        rows = waiting[length]
        rows.append((ids, start))
        if len(rows) == max(1, plan.micro_tokens // length):
            waiting[length] = []
            yield collate(rows, length)


def collate(rows, length: int):
    ids = torch.zeros(len(rows), length, dtype=torch.long)
    targets, weights = torch.zeros_like(ids), torch.zeros(len(rows), length)
    for i, (sample, start) in enumerate(rows):
        n = len(sample) - 1
        ids[i, :n] = torch.tensor(sample[:-1])
        targets[i, :n] = torch.tensor(sample[1:])
        weights[i, start - 1:n] = (n - start + 1) ** -0.4
    return ids, targets, weights


def optimizers(model, plan: Plan):
    """Muon for the matrices of the layers, AdamW for everything else."""
    matrices, others = [], []
    for name, p in model.named_parameters():
        big = p.ndim == 2 and min(p.shape) >= 64 and "embed" not in name
        (matrices if big and plan.optimizer == "muon" else others).append(p)
    decayed = [p for p in others if p.ndim == 2]
    plain = [p for p in others if p.ndim != 2]
    scale = 0.75 if plan.optimizer == "muon" else 0.4
    adam = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}],
                             lr=plan.lr, betas=(0.9, 0.98))
    found = [(adam, scale)]
    if matrices:
        found.append((torch.optim.Muon(matrices, lr=plan.lr, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"), 1.0))
    return found


def rate(plan: Plan, tokens: float, progress: float) -> float:
    """Warm up, hold, then fall to zero."""
    return min(1.0, tokens / plan.warmup_tokens, max(0.0, 1.0 - progress) / plan.decay)


def loss_of(model, batch, device):
    ids, targets, weights = (x.to(device) for x in batch)
    with torch.autocast(device.type, dtype=torch.bfloat16):
        hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state
        picked = weights > 0
        logits = model.lm_head(hidden[picked])
    losses = F.cross_entropy(logits.float(), targets[picked], reduction="none")
    return (losses * weights[picked]).sum(), losses.detach().mean()


class Average:
    """A running mean of the weights: what is saved on the way, since the weights themselves still jitter."""

    def __init__(self, model, keep: float = 0.99):
        self.keep, self.mean = keep, {k: v.detach().clone() for k, v in model.state_dict().items()}

    @torch.no_grad()
    def add(self, model) -> None:
        for k, v in model.state_dict().items():
            self.mean[k].lerp_(v, 1 - self.keep)


def train(model, chat, plan: Plan, log, checkpoint=None) -> dict:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device).train()
    if plan.compile:
        torch._dynamo.config.recompile_limit = 64
        for layer in model.model.layers:
            layer.compile(dynamic=False)
    opts = optimizers(model, plan)
    source, average = batches(chat, plan), Average(model)
    began, saved, tokens, step, shown = time.time(), time.time(), 0, 0, 0.0
    while True:
        progress = max(tokens / plan.tokens, (time.time() - began) / plan.seconds)
        if progress >= 1:
            break
        group = []
        while sum(b[0].numel() for b in group) < plan.step_tokens:
            group.append(next(source))
        total = sum(b[2].sum().item() for b in group)
        for batch in group:
            loss, mean = loss_of(model, batch, device)
            (loss / total).backward()
            tokens += batch[0].numel()
            shown = mean.item() if step == 0 else 0.99 * shown + 0.01 * mean.item()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        now = rate(plan, tokens, progress)
        for opt, scale in opts:
            for g in opt.param_groups:
                g["lr"] = plan.lr * scale * now
            opt.step()
            opt.zero_grad(set_to_none=True)
        average.add(model)
        step += 1
        if step % 50 == 0:
            seconds = time.time() - began
            log(f"step {step} tokens {tokens / 1e6:.2f}M loss {shown:.4f} rate {now:.3f} progress {progress:.3f} "
                f"{seconds:.0f} s {tokens / seconds:.0f} tok/s")
        if checkpoint and time.time() - saved > 240:
            checkpoint(average.mean)
            saved = time.time()
    return {"tokens": tokens, "steps": step, "seconds": round(time.time() - began)}


def save_state(path: Path, weights: dict, info: dict) -> None:
    fresh = path.with_suffix(".tmp")
    torch.save({k: v.detach().cpu() for k, v in weights.items()}, fresh)
    fresh.rename(path)
    path.with_suffix(".json").write_text(json.dumps(info, indent=1))
