"""Measures a demo model with the program itself: every task's held-out items, always the most likely token.

    measure.py PATH/TO/tandem MODEL [--text] [--sight] [--count 40]

MODEL is a GGUF file or a name such as qwen3.5:demo. Pictures are drawn into a temporary folder, at several sizes; clips
need ffmpeg. Prints a Markdown table of right answers, thinking and not.
"""

import argparse
import json
import random
import subprocess
import tempfile
from pathlib import Path

import evaluate
import pictures
import seeing
from tasks import TASKS

SIZES = [(240, 320), (256, 256), (480, 640), (180, 320), (320, 240), (120, 160)]  # height, width
SIGHT = ["one", "two", "three", "count", "colour", "side", "where", "way", "moves"]


def draw_files(task: str, looks: list[seeing.Look], folder: Path) -> list[list[dict]]:
    """The messages of every item, with the pictures in files."""
    out = []
    for n, look in enumerate(looks):
        height, width = SIZES[n % len(SIZES)]
        path = folder / f"{task}-{n}.{'mp4' if look.clip else 'png'}"
        if look.clip:
            pictures.write_clip(path, *look.scenes, height, width, seconds=1 + n % 4)
        else:
            path.write_bytes(pictures.png(pictures.draw(look.scenes[0], height, width)))
        messages = look.messages()
        for part in messages[-1]["content"]:
            if part["type"] != "text":
                part[part["type"]] = str(path)
        out.append(messages)
    return out


def sight_items(task: str, count: int) -> list[seeing.Look]:
    """Scenes of the aspects of SIZES, in turn."""
    rng, looks = random.Random(f"177 {task}"), []
    shapes = {"one": 1, "two": 2, "three": 3}
    for n in range(count):
        height, width = SIZES[n % len(SIZES)]
        look = seeing.make(rng, "what" if task in shapes else task, test=n % 2 == 1, count=shapes.get(task),
                           aspect=width / height)
        look.before = n % 4 < 2
        looks.append(look)
    return looks


def ask(tandem: str, model: str, prompts: list[list[dict]], folder: Path) -> list[list[dict]]:
    """The columns, thinking and not, of every prompt."""
    listed = folder / "prompts.jsonl"
    listed.write_text("".join(json.dumps({"messages": m}) + "\n" for m in prompts))
    done = subprocess.run([tandem, "compare", f"{model}@think", f"{model}@nothink", "--prompts", str(listed), "--json",
                           "--temperature", "0", "--max-tokens", "120"], capture_output=True, check=True)
    return [p["columns"] for p in json.loads(done.stdout)["prompts"]]


def measure(tandem: str, model: str, tasks: list[str], count: int, wrong: bool) -> None:
    for task in tasks:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            if task in SIGHT:
                items = sight_items(task, count)
                prompts = draw_files(task, items, folder)
            else:
                items = evaluate.items_for(task, "qwen3.5")[:60 if task == "facts" else count]
                prompts = [i.messages() for i in items]
            columns = ask(tandem, model, prompts, folder)
        right = [0, 0]
        for item, pair in zip(items, columns):
            for mode, column in enumerate(pair):
                got = column["answer"].strip()
                held = item.expect in got if task in evaluate.CONTAINS | {"count", "colour"} else got == item.expect
                right[mode] += held
                if wrong and not held:
                    print(f"  {task} {'nothink' if mode else 'think'}: {item.question} -> {got!r}, not {item.expect!r}"
                          f" ({column.get('reasoning', '')!r}, not {item.thought!r})")
        print(f"| {task} | {right[0]}/{len(items)} | {right[1]}/{len(items)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tandem")
    parser.add_argument("model")
    parser.add_argument("--text", action="store_true", help="only the text tasks")
    parser.add_argument("--sight", action="store_true", help="only the pictures and clips")
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--wrong", action="store_true", help="show the wrong answers")
    args = parser.parse_args()
    chosen = TASKS * (not args.sight) + SIGHT * (not args.text)
    measure(args.tandem, args.model, chosen, args.count, args.wrong)


if __name__ == "__main__":
    main()
