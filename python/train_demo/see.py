"""Makes the Qwen3.5 demo see: from the text demo's weights to a checkpoint folder with a vision tower. See README.md."""

import argparse
import json
import time
from pathlib import Path

import torch
from tokenizers import Tokenizer

import delta
import eyes
import models
import train
import train_eyes
from chat import Chat


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stage", choices=["cells", "words", "read", "both", "write"],
                        help="cells, words: the tower alone; read: the text model alone; both; write: the folder")
    parser.add_argument("--text", type=Path, required=True, help="weights of the text demo (WORK/qwen3.5.pt)")
    parser.add_argument("--out", type=Path, required=True, help="folder for seeing.pt and eyes.pt, and the checkpoint")
    parser.add_argument("--init", type=Path, help="an eyes.pt (stage cells) or a seeing.pt (stage both) to go on from")
    parser.add_argument("--minutes", type=float, default=60, help="of computing: pauses do not count")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lr", type=float, default=1.0, help="scales both learning rates")
    parser.add_argument("--text-share", type=float, default=0.35)
    parser.add_argument("--decay", type=float, default=0.5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rank", help="`0/2` and `1/2`: two processes that work together, on one machine")
    parser.add_argument("--no-compile", action="store_true", help="do without torch.compile (it needs a C++ compiler)")
    return parser.parse_args()


def load(path: Path, parts: torch.nn.ModuleDict) -> None:
    parts.load_state_dict(torch.load(path))


def main():
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)

    def log(text):
        print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)

    see, tower = eyes.Eyes(), args.out / "eyes.pt"
    if args.stage == "cells":
        if args.init:
            see.load_state_dict(torch.load(args.init))
        train_eyes.look_at_cells(see, args.minutes * 60, log, seed=args.seed,
                                 save=lambda: train.save_state(tower, see.state_dict(), {}))
        return
    chat = Chat("qwen3.5", Tokenizer.from_file(str(args.text.with_suffix(".tokenizer.json"))))
    config = models.config_for("qwen3.5", chat.tokenizer, eyes.VISION)
    model = models.build("qwen3.5", config)
    parts = torch.nn.ModuleDict({"text": model, "see": see})
    if args.stage == "words":
        see.load_state_dict(torch.load(args.init))
        embed = torch.load(args.text)["model.embed_tokens.weight"]
        train_eyes.write_words(see, chat, embed, args.minutes * 60, log, args.seed,
                               lambda: train.save_state(tower, see.state_dict(), {}))
        return
    state = args.out / "seeing.pt"
    if args.stage == "write":
        load(state, parts)
        folder = args.out / "qwen3.5-demo"
        models.write(folder, "qwen3.5", model, chat, config, {"preprocessor_config.json": eyes.IMAGE,
                                                              "video_preprocessor_config.json": eyes.VIDEO}, see.tower)
        log(f"wrote {folder}")
        return
    if args.init:
        load(args.init, parts)
    else:
        model.load_state_dict(torch.load(args.text))
        see.load_state_dict(torch.load(tower))
    delta.install()
    rank, ranks = (int(n) for n in (args.rank or "0/1").split("/"))
    if ranks > 1:
        torch.distributed.init_process_group("gloo", init_method="tcp://127.0.0.1:29517", rank=rank, world_size=ranks)
    plan = train_eyes.Plan(seconds=args.minutes * 60, seed=args.seed + 100 * rank, rank=rank, ranks=ranks, text_share=args.text_share,
                           decay=args.decay, blind=args.stage == "read", compile=not args.no_compile)
    plan.lr_text *= args.lr
    plan.lr_eyes *= args.lr

    def save(weights, info):
        if rank == 0:
            train.save_state(state, weights, info)

    log(json.dumps(train_eyes.learn(model, see, chat, plan, log, save)))


if __name__ == "__main__":
    main()
