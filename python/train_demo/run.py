"""Makes the demo models: vocabulary, training, checkpoint folder, report. See README.md."""

import argparse
import json
import math
import time
from pathlib import Path

import torch
from tokenizers import Tokenizer

import delta
import evaluate
import models
import train
import vocab
from chat import Chat

FAMILIES = ["qwen3.5", "phi4-mini"]
TOKENS = {"qwen3.5": 24e6, "phi4-mini": 30e6}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--family", choices=FAMILIES + ["both"], default="both")
    parser.add_argument("--out", type=Path, default=Path("demo-out"), help="where the checkpoint folders go")
    parser.add_argument("--tokens", type=float, help="tokens to train on, padding included")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop earlier, after this time")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--decay", type=float, default=0.4, help="last part of the training, in which the rate falls")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--init", type=Path, help="weights and vocabulary to begin with (work/FAMILY.pt of an earlier run)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--no-compile", action="store_true", help="do without torch.compile (it needs a C++ compiler)")
    parser.add_argument("--eval-only", action="store_true", help="test the weights given with --init")
    return parser.parse_args()


def make(family: str, args) -> None:
    def log(text):
        print(f"{family}: {text}", flush=True)

    work = args.out / "work"
    work.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(args.seed)
    if args.init:
        tokenizer = Tokenizer.from_file(str(args.init.with_suffix(".tokenizer.json")))
    else:
        tokenizer = vocab.train(family, seed=1)
    tokenizer.save(str(work / f"{family}.tokenizer.json"))
    chat = Chat(family, tokenizer)
    config = models.config_for(family, chat.tokenizer)
    model = models.build(family, config)
    log(f"{sum(p.numel() for p in model.parameters()):,} parameters, {chat.tokenizer.get_vocab_size()} tokens")
    if args.init:
        model.load_state_dict(torch.load(args.init))
    info = {"seed": args.seed}
    state = work / f"{family}.pt"
    if not args.eval_only:
        if family == "qwen3.5":
            delta.install()
        plan = train.Plan(tokens=args.tokens or TOKENS[family], seconds=args.minutes * 60, lr=args.lr, seed=args.seed,
                          decay=args.decay, compile=not args.no_compile)
        info |= train.train(model, chat, plan, log, lambda weights: train.save_state(state, weights, info))
        train.save_state(state, model.state_dict(), info)
    folder = args.out / f"{family}-demo"
    models.write(folder, family, model, chat, config)
    log("wrote " + str(folder))
    began = time.time()
    fresh = models.load(folder, family)  # free of compiled code, read back from the folder
    report, records = evaluate.evaluate(fresh, chat)
    count = sum(p.numel() for p in fresh.parameters())
    report = {"parameters": count, "training": info, "accuracy": report}
    (work / f"{family}.report.json").write_text(json.dumps(report, indent=1) + "\n")
    (work / f"{family}.eval.jsonl").write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records))
    log(f"evaluation took {time.time() - began:.0f} s")
    for mode, table in report["accuracy"].items():
        log(mode + ": " + ", ".join(f"{t} {v['right']}/{v['items']}" for t, v in table.items()))


def merge(out: Path) -> None:
    """Joins what is there of both families."""
    work, report, lines = out / "work", {}, ""
    for family in FAMILIES:
        if (work / f"{family}.report.json").exists():
            report[f"{family}:demo"] = json.loads((work / f"{family}.report.json").read_text())
            lines += (work / f"{family}.eval.jsonl").read_text()
    for name, text in (("report.json", json.dumps(report, indent=1) + "\n"), ("eval.jsonl", lines)):
        (out / (name + ".new")).write_text(text)
        (out / (name + ".new")).rename(out / name)


def main():
    args = arguments()
    torch.set_num_threads(args.threads)
    for family in FAMILIES if args.family == "both" else [args.family]:
        make(family, args)
    merge(args.out)


if __name__ == "__main__":
    main()
