"""Teaches the text demo to see: first the tower alone, by what lies in every cell of a picture, then tower and language
model together, with the text tasks mixed in."""

import itertools
import math
import random
import time
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

import eyes
import pictures
import seeing
import tasks
import train
from pictures import COLOURS, KINDS

# What the rows of single cells are asked for in the first stage: colour and kind of the shape there (the last class is
# the ground), which of how many shapes from the left it is, and in which ninth of the picture its middle lies.
WHAT, RANK, NINTH = len(COLOURS) * len(KINDS) + 1, 6, 9
ROW_SIZE = 0.1  # root mean square of the vocabulary's rows, which the tower's imitate
MEET = 8  # steps that two processes take on their own
UNSURE = -100  # a cell that hardly shows a shape is not learnt from


@dataclass
class Plan:
    seconds: float  # of computing, by the process's own clock: pauses do not count
    lr_text: float = 6e-4
    lr_eyes: float = 1.5e-3
    text_share: float = 0.35  # of the tokens
    step_tokens: int = 1900  # of each process
    micro_tokens: int = 2048
    think_share: float = 0.6
    decay: float = 0.5
    warmup_steps: int = 40
    seed: int = 1
    compile: bool = True
    blind: bool = False  # the language model alone, with the words that the tower has learnt to say
    rank: int = 0  # of `ranks` processes that work together
    ranks: int = 1


def some_size(rng) -> tuple[float, int, int]:
    """An aspect, and the sides to which a picture of it is resized."""
    aspect = rng.choice(pictures.ASPECTS)
    height = rng.choice([100, 128, 160, 240, 480])
    return aspect, *eyes.fit(height, round(height * aspect), eyes.IMAGE)


def frames_of(look: seeing.Look, height: int, width: int, rng) -> np.ndarray:
    """uint8 [frames, H, W, 3]: a picture twice, four moments of a clip; sometimes a little noise, as codecs leave it."""
    if look.clip:
        moments = [pictures.between(*look.scenes, i / 3) for i in range(4)]
        out = np.stack([pictures.draw(m, height, width) for m in moments])
    else:
        out = pictures.draw(look.scenes[0], height, width)[None].repeat(2, 0)
    return noisy(out, rng)


def noisy(frames: np.ndarray, rng) -> np.ndarray:
    if rng.random() < 0.4:
        return frames
    noise = np.random.default_rng(rng.getrandbits(32)).normal(0, rng.uniform(0.5, 5), frames.shape[1:])
    return (frames + noise).clip(0, 255).astype(np.uint8)


# --- the tower alone --------------------------------------------------------------------------------------------------

def cells(scene: pictures.Scene, masks: np.ndarray) -> np.ndarray:
    """The three classes of every token's cell, by the shape that covers most of it: int64 [cells, 3]."""
    n, height, width = masks.shape
    share = masks.reshape(n, height // eyes.CELL, eyes.CELL, width // eyes.CELL, eyes.CELL).mean((2, 4)).reshape(n, -1)
    classes = np.array([[list(COLOURS).index(s.colour) * len(KINDS) + KINDS.index(s.kind), n * (n - 1) // 2 + i,
                         min(2, int(3 * s.y)) * 3 + min(2, int(3 * s.x / scene.aspect))]
                        for i, s in enumerate(scene.shapes)])
    best = share.max(0)
    found = classes[share.argmax(0)]
    found[best < 0.12] = UNSURE
    found[best < 0.03, 0] = WHAT - 1
    return found


def cell_batch(rng, size: int):
    aspect, height, width = some_size(rng)
    inputs, labels = [], []
    for _ in range(size):
        scene = pictures.scene(rng, rng.choice([1, 2, 3, 3]), aspect)
        masks = pictures.cover(scene, height, width)
        frames = pictures.draw(scene, height, width, masks)[None].repeat(2, 0)
        inputs.append(eyes.patches(noisy(frames, rng)))
        labels.append(cells(scene, masks))
    return torch.from_numpy(np.concatenate(inputs)), torch.from_numpy(np.concatenate(labels)), height, width


def look_at_cells(see: eyes.Eyes, seconds: float, log, seed: int, save, size: int = 32) -> None:
    """Trains the tower with a head that is thrown away. Its rows get the size of the vocabulary's. `save` is called now
    and then, and at the end."""
    rng = random.Random(seed)
    head = torch.nn.Linear(eyes.VISION["out_hidden_size"], WHAT + RANK + NINTH)
    plan = train.Plan(tokens=1, lr=2e-3)
    opts = train.optimizers(torch.nn.ModuleDict({"see": see, "head": head}), plan)
    began, step, right = time.process_time(), 0, torch.zeros(3)
    while (progress := (time.process_time() - began) / seconds) < 1:
        x, labels, height, width = cell_batch(rng, size)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rows = see(x, height // eyes.PATCH, width // eyes.PATCH)
        rows = rows.float().flatten(0, 1)
        parts = head(rows / ROW_SIZE).split([WHAT, RANK, NINTH], -1)
        loss = sum(F.cross_entropy(p, labels[:, i], ignore_index=UNSURE) * w for i, (p, w) in enumerate(zip(parts, (1, .5, .3))))
        # keeps the rows about as large as those of the vocabulary
        (loss + 0.05 * (rows.pow(2).mean().sqrt() / ROW_SIZE - 1) ** 2).backward()
        torch.nn.utils.clip_grad_norm_(see.parameters(), 1.0)
        now = min(1.0, (step + 1) / 60, (1 - progress) / 0.4)
        for opt, factor in opts:
            for g in opt.param_groups:
                g["lr"] = plan.lr * factor * now
            opt.step()
            opt.zero_grad(set_to_none=True)
        shape = labels[:, 1] != UNSURE
        hit = torch.stack([(p.argmax(-1) == labels[:, i])[shape].float().mean() for i, p in enumerate(parts)])
        right = right.lerp(hit, 1 / min(20, step + 1))
        step += 1
        if step % 25 == 0:
            seen = time.process_time() - began
            log(f"cells: step {step} loss {loss.item():.4f} right: what {right[0]:.3f} rank {right[1]:.3f} ninth {right[2]:.3f}, "
                f"rows {rows.pow(2).mean().sqrt().item():.3f}, {seen:.0f} s, {step * size / seen:.0f} pictures/s")
        if step % 100 == 0:
            save()
    save()


# --- words in the rows ------------------------------------------------------------------------------------------------

# One token of the vocabulary for every colour and kind: the whole word or a part that no other has.
TOKENS = {"red": "Ġred", "green": "Ġgreen", "blue": "Ġblue", "yellow": "Ġyellow", "orange": "or", "purple": "ple",
          "black": "Ġblack", "circle": "ir", "square": "are", "triangle": "ri", "star": "Ġstar"}


class Words:
    """What the first rows of a picture are to say, as tokens of the language model: colour and kind of every shape, from
    left to right; of a single one also where it is, in tenths of width and height. The other rows say nothing."""

    def __init__(self, chat):
        self.id = chat.tokenizer.token_to_id
        self.nothing = self.id("Ċ")
        self.known = sorted({self.id(t) for t in [*TOKENS.values(), *"0123456789,."]} | {self.nothing})

    def of(self, scene: pictures.Scene, rows: int) -> list[int]:
        said = []
        for shape in scene.shapes:
            said += [TOKENS[shape.colour], TOKENS[shape.kind], ","]
        if len(scene.shapes) == 1:
            said += [str(int(10 * scene.shapes[0].x / scene.aspect)), str(int(10 * scene.shapes[0].y)), ","]
        said[-1] = "."
        return [self.id(t) for t in said] + [self.nothing] * (rows - len(said))


def word_batch(rng, words: Words, size: int):
    aspect, height, width = some_size(rng)
    tokens = (height // eyes.CELL) * (width // eyes.CELL)
    inputs, labels = [], []
    for _ in range(size):
        count = rng.choice([1, 2, 3, 3])
        if count == 1 and rng.random() < 0.5:  # a step of a clip
            ends = pictures.clip(rng, rng.choice(list(pictures.WAYS)), aspect)
            at = rng.choice([0, 2 / 3])
            frames = np.stack([pictures.draw(pictures.between(*ends, at + p), height, width) for p in (0, 1 / 3)])
            scene = pictures.between(*ends, at + 1 / 6)
        else:
            scene = pictures.scene(rng, count, aspect)
            frames = pictures.draw(scene, height, width)[None].repeat(2, 0)
        inputs.append(eyes.patches(noisy(frames, rng)))
        labels.append(words.of(scene, tokens))
    return torch.from_numpy(np.concatenate(inputs)), torch.tensor(labels), height, width


def write_words(see: eyes.Eyes, chat, embed: torch.Tensor, seconds: float, log, seed: int, save, size: int = 32) -> None:
    """Trains the tower so that its rows are the vocabulary's rows of `Words`."""
    rng, words = random.Random(seed), Words(chat)
    known = torch.tensor(words.known)
    table = embed[known]
    place = torch.full((len(embed),), 0)
    place[known] = torch.arange(len(known))
    plan, began = train.Plan(tokens=1, lr=2e-3), time.process_time()
    opts, right, step = train.optimizers(see, plan), 0.0, 0
    while (progress := (time.process_time() - began) / seconds) < 1:
        x, labels, height, width = word_batch(rng, words, size)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rows = see(x, height // eyes.PATCH, width // eyes.PATCH)
        rows, wanted = rows.float().flatten(0, 1), place[labels.flatten()]
        scores = -torch.cdist(rows, table).pow(2) / (2 * 0.1 * ROW_SIZE ** 2 * rows.shape[-1])
        said = wanted != place[words.nothing]
        weight = torch.where(said, 1.0, 0.1)
        loss = (F.cross_entropy(scores, wanted, reduction="none") * weight).sum() / weight.sum()
        near = ((rows - table[wanted]).pow(2).mean(-1) * weight).sum() / weight.sum() / ROW_SIZE ** 2
        (loss + 0.3 * near).backward()
        torch.nn.utils.clip_grad_norm_(see.parameters(), 1.0)
        now = min(1.0, (step + 1) / 60, (1 - progress) / 0.4)
        for opt, factor in opts:
            for g in opt.param_groups:
                g["lr"] = plan.lr * factor * now
            opt.step()
            opt.zero_grad(set_to_none=True)
        hit = (scores.argmax(-1) == wanted)[said].float().mean().item()
        right += (hit - right) / min(20, step + 1)
        step += 1
        if step % 20 == 0:
            seen = time.process_time() - began
            log(f"words: step {step} loss {loss.item():.4f} far {near.item():.3f} right {right:.3f}, {seen:.0f} s, "
                f"{step * size / seen:.0f} pictures/s")
        if step % 60 == 0:
            save()
    save()


# --- both together ----------------------------------------------------------------------------------------------------

class Places:
    """Turns a question about a picture into ids, positions and frames."""

    def __init__(self, chat):
        self.chat = chat
        self.ids = {chat.tokenizer.token_to_id(t) for t in ("<|image_pad|>", "<|video_pad|>")}

    def example(self, look: seeing.Look, height: int, width: int, think: bool, seconds: list[float] | None):
        tokens = (height // eyes.CELL) * (width // eyes.CELL)
        prompt = eyes.expand(self.chat.prompt(look.messages(), think), tokens, seconds)
        lead = f"{look.thought}\n</think>\n\n" if think else ""
        head = self.chat.encode(prompt)
        ids = head + self.chat.encode(f"{lead}{look.answer}{self.chat.eos}")
        return ids, len(head), eyes.positions(ids, self.ids, width // eyes.CELL)


def some_seconds(rng) -> list[float]:
    """The times of the two steps of a clip of 1 to 8 seconds, of which four frames are seen."""
    length = rng.choice([1.0, 1.5, 2.0, 2.0, 2.0, 3.0, 4.0, 5.0, rng.uniform(0.8, 8)])
    fps = rng.choice([5, 10, 10, 12, 24, 25, 30])
    last = max(3, round(length * fps) - 1)
    at = [round(i * last / 3) for i in range(4)]
    return [(at[0] / fps + at[1] / fps) / 2, (at[2] / fps + at[3] / fps) / 2]


def collate(rows, length: int):
    ids, targets, weights = train.collate([(i, s) for i, s, _, _ in rows], length)
    where = torch.zeros(3, len(rows), length, dtype=torch.long)
    for n, (_, _, pos, _) in enumerate(rows):
        where[:, n, :len(pos[0]) - 1] = torch.tensor(pos)[:, :-1]
    frames = np.concatenate([f for _, _, _, f in rows])
    return ids, targets, weights, where, frames


def looks(chat, plan: Plan):
    """Batches of equal grid and row length, without end."""
    rng, places, words = random.Random(plan.seed + 2), Places(chat), Words(chat)
    waiting = defaultdict(list)
    while True:
        aspect, height, width = some_size(rng)
        look = seeing.draw_item(rng, aspect)
        seconds = some_seconds(rng) if look.clip else None
        ids, start, pos = places.example(look, height, width, rng.random() < plan.think_share, seconds)
        length = next((n for n in train.LENGTHS if n >= len(ids) - 1), None)
        if length is None:
            continue
        rows = waiting[height, width, look.clip, length]
        if plan.blind:
            cells = (height // eyes.CELL) * (width // eyes.CELL)
            moments = [pictures.between(*look.scenes, p) for p in (1 / 6, 5 / 6)] if look.clip else look.scenes
            rows.append((ids, start, pos, np.array([words.of(m, cells) for m in moments])))
        else:
            rows.append((ids, start, pos, frames_of(look, height, width, rng)))
        if len(rows) == max(1, plan.micro_tokens // length):
            del waiting[height, width, look.clip, length]
            yield collate(rows, length)


def logits_of(model, see, places: torch.Tensor, ids, where, frames, picked):
    embeds = model.model.embed_tokens(ids)
    if frames is not None:
        if frames.ndim == 2:  # words in place of what is seen
            rows = model.model.embed_tokens(torch.from_numpy(frames))
            rows = rows + 0.25 * ROW_SIZE * torch.randn_like(rows)
        else:
            height, width = frames.shape[1:3]
            rows = see(torch.from_numpy(eyes.patches(frames)), height // eyes.PATCH, width // eyes.PATCH)
        mask = torch.isin(ids, places)
        embeds = embeds.masked_scatter(mask[:, :, None], rows.reshape(-1, rows.shape[-1]).to(embeds.dtype))
    hidden = model.model(inputs_embeds=embeds, position_ids=where, use_cache=False).last_hidden_state
    return model.lm_head(hidden[picked])


def loss_of(model, see, places, batch):
    ids, targets, weights, where, frames = batch
    picked = weights > 0
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = logits_of(model, see, places, ids, where, frames, picked)
    losses = F.cross_entropy(logits.float(), targets[picked], reduction="none")
    wrong = torch.zeros(ids.shape)
    wrong[picked] = (logits.argmax(-1) != targets[picked]).float()
    whole = (wrong.sum(1) == 0).float().mean()  # answers of which every token is the most likely one
    return (losses * weights[picked]).sum(), losses.detach().mean().item(), whole.item()


def text_items(seed: int):
    """The text demo's own tasks, and now and then a question about a picture that is not there."""
    rng = random.Random(seed + 3)
    for item in tasks.stream(seed, "qwen3.5"):
        yield item
        if rng.random() < 0.03:
            yield seeing.without_picture(rng)


def text_batches(chat, plan: Plan):
    words = train.Plan(tokens=1, micro_tokens=plan.micro_tokens, think_share=0.55, seed=plan.seed)
    for ids, targets, weights in train.batches(chat, words, text_items(plan.seed)):
        where = torch.arange(ids.shape[1]).expand(3, *ids.shape)
        yield ids, targets, weights, where, None


def meet(parts: torch.nn.Module, ranks: int) -> None:
    """Averages the processes' weights, which went their own ways for some steps."""
    flat = torch.cat([p.detach().flatten() for p in parts.parameters()])
    torch.distributed.all_reduce(flat)
    flat /= ranks
    with torch.no_grad():
        for p, part in zip(parts.parameters(), flat.split([p.numel() for p in parts.parameters()])):
            p.copy_(part.view_as(p))


def learn(model, see: eyes.Eyes, chat, plan: Plan, log, checkpoint) -> dict:
    model.train()
    if not plan.compile:  # every length would have to be compiled; without that, more of them waste less
        train.LENGTHS = [*range(32, 144, 16), 160, 208, 256, 320, 384]
    else:
        torch._dynamo.config.recompile_limit = 64
        for layer in model.model.layers:
            layer.compile(dynamic=False)
    if plan.blind:  # the words must keep their meaning
        model.model.embed_tokens.requires_grad_(False)
    both = torch.nn.ModuleDict({"text": model, "see": see})
    groups = [(o, f, lr) for part, lr in ((model, plan.lr_text), (see, plan.lr_eyes))
              for o, f in train.optimizers(part, train.Plan(tokens=1, lr=lr))]
    places = torch.tensor(sorted(Places(chat).ids))
    sources = {"text": text_batches(chat, plan), "look": looks(chat, plan)}
    average = train.Average(both, keep=0.99)
    shown = {k: [0.0, 0.0, 0] for k in sources}
    used = {"text": 0, "look": plan.micro_tokens * plan.rank}  # so that not all read text at once
    began, saved = time.process_time(), time.time()
    for step in itertools.count(1):
        progress = (time.process_time() - began) / plan.seconds
        if plan.ranks > 1 and step % MEET == 0:
            meet(both, plan.ranks)
            said = torch.tensor([progress])  # the first one's clock tells when to stop
            torch.distributed.broadcast(said, 0)
            if said.item() >= 1:
                break
        elif plan.ranks == 1 and progress >= 1:
            break
        group = []
        while sum(b[0].numel() for _, b in group) < plan.step_tokens:
            kind = "text" if used["text"] < plan.text_share * (used["text"] + used["look"] + 1) else "look"
            batch = next(sources[kind])
            used[kind] += batch[0].numel()
            group.append((kind, batch))
        total = sum(b[2].sum().item() for _, b in group)
        for kind, batch in group:
            loss, mean, whole = loss_of(model, see, places, batch)
            (loss / total).backward()
            s = shown[kind]
            keep = min(0.98, s[2] / (s[2] + 1))
            shown[kind] = [keep * s[0] + (1 - keep) * mean, keep * s[1] + (1 - keep) * whole, s[2] + 1]
        torch.nn.utils.clip_grad_norm_(both.parameters(), 1.0)
        now = min(1.0, step / plan.warmup_steps, max(0.0, 1 - progress) / plan.decay)
        for opt, factor, lr in groups:
            for g in opt.param_groups:
                g["lr"] = lr * factor * now
            opt.step()
            opt.zero_grad(set_to_none=True)
        # early on the mean follows faster, so that it forgets the beginning
        average.keep = min(0.99, step / (step + 10))
        average.add(both)
        if step % 20 == 0 and plan.rank == 0:
            seen = time.process_time() - began
            parts = ", ".join(f"{k} loss {v[0]:.4f} whole {v[1]:.3f}" for k, v in shown.items())
            log(f"step {step} {parts} rate {now:.3f} progress {progress:.3f} {seen:.0f} s "
                f"{plan.ranks * sum(used.values()) / seen:.0f} tok/s")
        if time.time() - saved > 180:
            checkpoint(average.mean, {"steps": step, "tokens": dict(used)})
            saved = time.time()
    checkpoint(average.mean, {"steps": step, "tokens": dict(used), "seconds": round(time.process_time() - began)})
    return {"steps": step, "tokens": dict(used), "seconds": round(time.process_time() - began)}
