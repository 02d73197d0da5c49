"""Draws the pictures and clips that the demo model learns to see: one to three coloured shapes on a pale ground.

As a program it draws single files: `pictures.py --seed 3 --shapes 3 out.png`, `pictures.py --row "red circle, blue square"
out.png`, `pictures.py --clip --way left out.mp4` (needs ffmpeg).
"""

import argparse
import math
import random
import struct
import subprocess
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

COLOURS = {"red": (222, 40, 44), "green": (38, 160, 62), "blue": (40, 84, 214), "yellow": (246, 212, 36),
           "orange": (246, 136, 26), "purple": (138, 56, 172), "black": (26, 26, 30)}
KINDS = ["circle", "square", "triangle", "star"]
WAYS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
ASPECTS = [1.0, 1.0, 4 / 3, 4 / 3, 3 / 2, 16 / 9, 3 / 4, 2 / 3]  # width by height


@dataclass
class Shape:
    """Lengths are in heights of the picture; x runs from 0 to the picture's aspect, y from 0 to 1, downwards."""
    kind: str
    colour: str
    rgb: tuple[float, float, float]
    x: float
    y: float
    size: float  # radius of a circle that is about as large
    angle: float = 0.0

    def name(self) -> str:
        return f"{self.colour} {self.kind}"


@dataclass
class Scene:
    aspect: float
    ground: tuple[float, float, float] = (255, 255, 255)
    shapes: list[Shape] = field(default_factory=list)  # from left to right


def distance(shape: Shape, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Signed distance to the outline, negative inside; for the star roughly."""
    x, y = x - shape.x, y - shape.y
    if shape.kind == "circle":
        return np.hypot(x, y) - shape.size
    c, s = math.cos(shape.angle), math.sin(shape.angle)
    x, y = c * x + s * y, c * y - s * x
    if shape.kind == "square":
        return np.maximum(abs(x), abs(y)) - 0.88 * shape.size
    if shape.kind == "triangle":  # three edges, a corner at the top
        edge = 0.6 * shape.size
        y = y - 0.12 * shape.size
        return np.maximum(y, np.maximum(0.8660254 * x - 0.5 * y, -0.8660254 * x - 0.5 * y)) - edge
    edge = 0.309017 * 1.25 * shape.size  # five lines; inside the star at most one of them is crossed
    turns = [2 * math.pi * k / 5 - math.pi / 2 for k in range(5)]
    lines = np.stack([math.cos(t) * x + math.sin(t) * y - edge for t in turns])
    return np.partition(lines, 3, axis=0)[3]


def cover(scene: Scene, height: int, width: int) -> np.ndarray:
    """How much of every pixel each shape covers: float32 [shapes, height, width]."""
    x = ((np.arange(width, dtype=np.float32) + 0.5) * (scene.aspect / width))[None, :]
    y = ((np.arange(height, dtype=np.float32) + 0.5) / height)[:, None]
    pixel = 0.5 * (1 / height + scene.aspect / width)
    out = [np.clip(0.5 - distance(s, x, y) / pixel, 0, 1) for s in scene.shapes]
    return np.stack(out).astype(np.float32) if out else np.zeros((0, height, width), np.float32)


def draw(scene: Scene, height: int, width: int, masks: np.ndarray | None = None) -> np.ndarray:
    """uint8 [height, width, 3]; stretched if the sides do not fit the scene's aspect, as the reference does."""
    picture = np.empty((height, width, 3), np.float32)
    picture[:] = scene.ground
    for shape, mask in zip(scene.shapes, cover(scene, height, width) if masks is None else masks):
        picture += mask[:, :, None] * (np.asarray(shape.rgb, np.float32) - picture)
    return np.rint(picture).clip(0, 255).astype(np.uint8)


# --- random scenes ----------------------------------------------------------------------------------------------------

def some_shape(rng, x: float, y: float, size: float) -> Shape:
    kind, colour = rng.choice(KINDS), rng.choice(list(COLOURS))
    rgb = tuple(min(255.0, max(0.0, c + rng.gauss(0, 7))) for c in COLOURS[colour])
    tilt = rng.choice([0.0, 0.0, rng.uniform(-0.25, 0.25)])
    return Shape(kind, colour, rgb, x, y, size, tilt)


def ground(rng) -> tuple[float, float, float]:
    if rng.random() < 0.6:
        return (255, 255, 255)
    grey = rng.uniform(225, 255)
    return tuple(min(255.0, grey + rng.uniform(-12, 12)) for _ in range(3))


def row(names: str, aspect: float) -> Scene:
    """The named shapes side by side."""
    pairs = [name.split() for name in names.split(",")]
    column = aspect / len(pairs)
    shapes = [Shape(kind, colour, COLOURS[colour], column * (i + 0.5), 0.5, 0.3 * min(1.0, column))
              for i, (colour, kind) in enumerate(pairs)]
    return Scene(aspect, shapes=shapes)


SIZES = {1: (0.15, 0.36), 2: (0.12, 0.24), 3: (0.11, 0.19)}


def scene(rng, count: int, aspect: float | None = None) -> Scene:
    """Shapes that do not touch and of which none stands above another."""
    aspect = aspect or rng.choice(ASPECTS)
    unit = min(1.0, aspect)
    while True:
        low, high = SIZES[count]
        base = rng.uniform(low, high)
        level = rng.uniform(0.35, 0.65) if rng.random() < 0.3 else None  # a tidy row now and then
        shapes = []
        for _ in range(count):
            size = unit * min(high, max(low, base * rng.uniform(0.8, 1.25)))
            edge = 1.25 * size
            y = rng.uniform(edge, 1 - edge) if level is None else min(1 - edge, max(edge, level))
            shapes.append(some_shape(rng, rng.uniform(edge, aspect - edge), y, size))
        shapes.sort(key=lambda s: s.x)
        pairs = [(a, b) for i, a in enumerate(shapes) for b in shapes[i + 1:]]
        if all(b.x - a.x > 0.14 * aspect and math.hypot(b.x - a.x, b.y - a.y) > 1.2 * (a.size + b.size)
               for a, b in pairs):
            return Scene(aspect, ground(rng), shapes)


def clip(rng, way: str, aspect: float | None = None) -> tuple[Scene, Scene]:
    """First and last moment of a clip in which one shape goes `way`."""
    aspect = aspect or rng.choice(ASPECTS)
    size = min(1.0, aspect) * rng.uniform(0.11, 0.22)
    edge = 1.15 * size
    dx, dy = WAYS[way]
    room = (aspect if dx else 1.0) - 2 * edge
    path = rng.uniform(0.55, 1.0) * room
    start = edge + rng.uniform(0, room - path)
    across = rng.uniform(edge, (1.0 if dx else aspect) - edge)
    ends = (start, start + path) if dx + dy > 0 else (start + path, start)
    shape = some_shape(rng, 0, 0, size)
    first, last = (replace(shape, x=p, y=across) if dx else replace(shape, x=across, y=p) for p in ends)
    back = ground(rng)
    return Scene(aspect, back, [first]), Scene(aspect, back, [last])


def between(first: Scene, last: Scene, part: float) -> Scene:
    """The moment after `part` (0 to 1) of the way."""
    moved = [replace(a, x=a.x + part * (b.x - a.x), y=a.y + part * (b.y - a.y))
             for a, b in zip(first.shapes, last.shapes)]
    return Scene(first.aspect, first.ground, moved)


# --- files ------------------------------------------------------------------------------------------------------------

def png(picture: np.ndarray) -> bytes:
    """An 8-bit RGB file."""
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    height, width = picture.shape[:2]
    rows = b"".join(b"\0" + picture[y].tobytes() for y in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))


def write_clip(path: Path, first: Scene, last: Scene, height: int, width: int, seconds: float = 2.0, fps: int = 10) -> None:
    """Through ffmpeg; the file's ending chooses the format."""
    frames = max(4, round(seconds * fps))
    raw = b"".join(draw(between(first, last, i / (frames - 1)), height, width).tobytes() for i in range(frames))
    subprocess.run(["ffmpeg", "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}",
                    "-r", str(fps), "-i", "-", "-pix_fmt", "yuv420p", "-fflags", "+bitexact", "-flags", "+bitexact",
                    str(path)], input=raw, check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shapes", type=int, choices=[1, 2, 3], default=3)
    parser.add_argument("--row", help="these shapes, as in `red circle, blue square`")
    parser.add_argument("--clip", action="store_true", help="a clip instead of a picture")
    parser.add_argument("--way", choices=list(WAYS), default="right")
    parser.add_argument("--height", type=int, default=240)
    parser.add_argument("--width", type=int, default=320)
    args = parser.parse_args()
    rng, aspect = random.Random(args.seed), args.width / args.height
    if args.clip:
        write_clip(args.out, *clip(rng, args.way, aspect), args.height, args.width)
    else:
        drawn = row(args.row, aspect) if args.row else scene(rng, args.shapes, aspect)
        args.out.write_bytes(png(draw(drawn, args.height, args.width)))


if __name__ == "__main__":
    main()
