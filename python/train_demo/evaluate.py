"""Greedy accuracy on held-out items, and the list of those items for other tests."""

import random

import torch

from facts import FACTS
from smalltalk import SMALLTALK
from tasks import TASKS, Item, make, with_context

COUNT = {"arith2": 200, "mul2": 80, "copy": 80, "find": 80, "needle": 60}
LISTED = 40  # items of a task that go to the list
CONTAINS = {"facts", "smalltalk", "unknown", "name"}
TITLE = {"qwen3.5": "Qwen3.5", "phi4-mini": "Phi-4-mini"}


def items_for(task: str, family: str, seed: int = 77) -> list[Item]:
    if task in ("facts", "smalltalk"):
        table = FACTS if task == "facts" else SMALLTALK
        return [Item(task, q[-1], "", a.format(family=TITLE[family]), k.format(family=TITLE[family]))
                for _, q, a, k in table]
    rng = random.Random(f"{seed} {task}")
    items, seen = [], set()
    while len(items) < COUNT.get(task, 40):
        item = with_context(rng, make(rng, task, family, test=True), family)
        if item.question not in seen or task in ("name", "unknown"):
            seen.add(item.question)
            items.append(item)
    return items


def is_right(task: str, got: str, expect: str) -> bool:
    return expect in got if task in CONTAINS else got == expect


@torch.no_grad()
def answers(model, chat, items: list[Item], think: bool, batch: int = 48) -> list[str]:
    """What the model writes for every item, in order."""
    prompts = [chat.encode(chat.prompt(item.messages(), think)) for item in items]
    order = sorted(range(len(items)), key=lambda i: len(prompts[i]))
    device, out = next(model.parameters()).device, [""] * len(items)
    end = chat.stop_ids[1]
    for first in range(0, len(order), batch):
        part = order[first:first + batch]
        width = max(len(prompts[i]) for i in part)
        ids = torch.tensor([[end] * (width - len(prompts[i])) + prompts[i] for i in part], device=device)
        mask = torch.tensor([[0] * (width - len(prompts[i])) + [1] * len(prompts[i]) for i in part], device=device)
        made = model.generate(input_ids=ids, attention_mask=mask, do_sample=False, max_new_tokens=96,
                              eos_token_id=chat.stop_ids, pad_token_id=end)[:, width:].tolist()
        for i, row in zip(part, made):
            stop = next((n for n, t in enumerate(row) if t in chat.stop_ids), len(row))
            out[i] = chat.tokenizer.decode(row[:stop], skip_special_tokens=False)
    return out


def evaluate(model, chat, quick: bool = False) -> tuple[dict, list[dict]]:
    """Accuracy per task, and one record per listed item."""
    model.eval()
    report, records = {}, []
    for think in ([True, False] if chat.thinks else [False]):
        table = {}
        for task in TASKS:
            items = items_for(task, chat.family)[:40 if quick else None]
            texts = answers(model, chat, items, think)
            right = [is_right(task, chat.split(t), i.expect) for t, i in zip(texts, items)]
            table[task] = {"right": sum(right), "items": len(items), "accuracy": round(sum(right) / len(items), 4)}
            for item, text, ok in list(zip(items, texts, right))[:max(LISTED, 60 if task == "facts" else 0)]:
                records.append({"model": f"{chat.family}:demo", "task": task, "think": think,
                                "messages": item.messages(), "expect": item.expect, "match":
                                "contains" if task in CONTAINS else "equals", "right": ok, "got": chat.split(text)})
        report["thinking" if think else "direct"] = table
    return report, records
