#!/usr/bin/env python3
"""Makes the small pictures beside it, in every kind of PNG, JPEG and WebP that is read.

Pixel (y, x) of the pattern, 16 rows of 24: red 10 x, green 15 y, blue 7 x y mod 256, alpha 5 x y mod 256; grey is its
red. `quarters` are flat: red, green over blue, white. Needs Pillow; the files are committed, so nobody needs to run it.
"""
import struct
import zlib
from pathlib import Path

from PIL import Image

HERE = Path(__file__).resolve().parent
W, H = 24, 16
PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def rgb(x, y):
    return 10 * x, 15 * y, 7 * x * y % 256


def alpha(x, y):
    return 5 * x * y % 256


def png(name, colour, depth, pixel, extra=b"", interlaced=False):
    """pixel(x, y): the samples of a pixel."""
    def row(xs, y):
        samples = [s for x in xs for s in pixel(x, y)]
        if depth == 16:
            return b"\0" + b"".join(struct.pack(">H", s) for s in samples)
        bits = "".join(format(s, f"0{depth}b") for s in samples)
        bits += "0" * (-len(bits) % 8)
        return b"\0" + bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))

    if interlaced:
        rows = [row(range(x0, W, dx), y) for x0, y0, dx, dy in PASSES for y in range(y0, H, dy)]
    else:
        rows = [row(range(W), y) for y in range(H)]

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", W, H, depth, colour, 0, 0, int(interlaced))
    (HERE / name).write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra +
                              chunk(b"IDAT", zlib.compress(b"".join(rows), 9)) + chunk(b"IEND", b""))
    return chunk


def quarters(width=32, height=16):
    image = Image.new("RGB", (width, height))
    for (x, y), colour in {(0, 0): (255, 0, 0), (1, 0): (0, 255, 0), (0, 1): (0, 0, 255), (1, 1): (255, 255, 255)}.items():
        image.paste(colour, (x * width // 2, y * height // 2, (x + 1) * width // 2, (y + 1) * height // 2))
    return image


def main():
    chunk = png("rgb.png", 2, 8, rgb)
    png("rgb-interlaced.png", 2, 8, rgb, interlaced=True)
    png("rgba.png", 6, 8, lambda x, y: (*rgb(x, y), alpha(x, y)))
    png("rgb16.png", 2, 16, lambda x, y: tuple(s << 8 | 0xA7 for s in rgb(x, y)))
    png("grey.png", 0, 8, lambda x, y: (10 * x,))
    png("grey-alpha.png", 4, 8, lambda x, y: (10 * x, alpha(x, y)))
    png("grey16.png", 0, 16, lambda x, y: (10 * x << 8 | 0xFE,))
    png("grey1.png", 0, 1, lambda x, y: (x // 3 % 2,))
    palette = bytes(v for i in range(16) for v in (10 * i, 255 - 16 * i, i))
    extra = chunk(b"PLTE", palette) + chunk(b"tRNS", bytes(range(0, 160, 10)))
    png("palette4.png", 3, 4, lambda x, y: ((x + y) % 16,), extra)

    pattern = Image.new("RGB", (W, H))
    pattern.putdata([rgb(x, y) for y in range(H) for x in range(W)])
    rgba = pattern.copy()
    rgba.putalpha(Image.frombytes("L", (W, H), bytes(alpha(x, y) for y in range(H) for x in range(W))))
    pattern.save(HERE / "rgb.webp", lossless=True)
    rgba.save(HERE / "rgba.webp", lossless=True, exact=True)
    pattern.save(HERE / "animated.webp", lossless=True, save_all=True, append_images=[quarters(W, H)], duration=50)

    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        quarters().save(HERE / f"quarters-exif{orientation}.jpg", quality=95, subsampling=0, exif=exif)
    quarters().save(HERE / "quarters-progressive.jpg", quality=95, progressive=True)
    quarters().convert("L").save(HERE / "quarters-grey.jpg", quality=95)
    quarters().convert("CMYK").save(HERE / "quarters-cmyk.jpg", quality=95)


if __name__ == "__main__":
    main()
