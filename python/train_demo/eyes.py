"""The vision tower of the seeing demo: its configuration, patches and positions as the processor makes them, and a
forward pass over a batch of equal grids that trains faster than one picture after the other."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from transformers.models.qwen3_5.configuration_qwen3_5 import Qwen3_5VisionConfig
from transformers.models.qwen3_5.modeling_qwen3_5 import Qwen3_5VisionModel, apply_rotary_pos_emb_vision

PATCH, MERGE, FRAMES = 16, 2, 2
CELL = PATCH * MERGE  # pixels that become one token

VISION = {"model_type": "qwen3_5_vision", "depth": 3, "hidden_size": 192, "hidden_act": "gelu_pytorch_tanh",
          "intermediate_size": 768, "num_heads": 3, "in_channels": 3, "patch_size": PATCH, "spatial_merge_size": MERGE,
          "temporal_patch_size": FRAMES, "out_hidden_size": 256, "num_position_embeddings": 256,
          "deepstack_visual_indexes": [], "initializer_range": 0.02}
# Small pictures stay small and large ones become small: about 9 to 24 tokens.
IMAGE = {"size": {"shortest_edge": 96 * 96, "longest_edge": 128 * 192}, "patch_size": PATCH, "temporal_patch_size": FRAMES,
         "merge_size": MERGE, "image_mean": [0.5] * 3, "image_std": [0.5] * 3,
         "image_processor_type": "Qwen2VLImageProcessorFast", "processor_class": "Qwen3VLProcessor"}
# Always four frames, which make two steps.
VIDEO = {"size": {"shortest_edge": 4 * 96 * 96, "longest_edge": 4 * 128 * 192}, "fps": 2, "min_frames": 4, "max_frames": 4,
         "patch_size": PATCH, "temporal_patch_size": FRAMES, "merge_size": MERGE, "image_mean": [0.5] * 3,
         "image_std": [0.5] * 3, "video_processor_type": "Qwen3VLVideoProcessor", "processor_class": "Qwen3VLProcessor"}


def build() -> Qwen3_5VisionModel:
    config = Qwen3_5VisionConfig(**VISION)
    config._attn_implementation = "sdpa"
    return Qwen3_5VisionModel(config)


def fit(height: int, width: int, limits: dict, frames: int = 1) -> tuple[int, int]:
    """Sides of the resized picture, by the reference's rule (smart_resize; for a clip of an even number of frames)."""
    low, high = limits["size"]["shortest_edge"], limits["size"]["longest_edge"]
    if frames > 1 and min(height, width) < CELL:
        scale = max(CELL / height, CELL / width)
        height, width = int(height * scale), int(width * scale)
    h, w = round(height / CELL) * CELL, round(width / CELL) * CELL
    if frames * h * w > high:
        beta = math.sqrt(frames * height * width / high)
        h, w = (max(CELL, math.floor(x / beta / CELL) * CELL) for x in (height, width))
    elif frames * h * w < low:
        beta = math.sqrt(low / (frames * height * width))
        h, w = (math.ceil(x * beta / CELL) * CELL for x in (height, width))
    return h, w


def patches(frames: np.ndarray) -> np.ndarray:
    """uint8 [2 steps, H, W, 3] -> float32 [steps, patches, 1536]: blocks of 2 x 2 in raster order, values by colour,
    frame, y, x."""
    values = (frames.astype(np.float32) - 127.5) / 127.5
    n, height, width, _ = values.shape
    x = values.reshape(n // FRAMES, FRAMES, height // CELL, MERGE, PATCH, width // CELL, MERGE, PATCH, 3)
    x = x.transpose(0, 2, 5, 3, 6, 8, 1, 4, 7)  # step, block row and column, row and column inside, colour, frame, y, x
    return x.reshape(n // FRAMES, (height // PATCH) * (width // PATCH), -1)


class Grid:
    """What depends on a grid of patches only, computed once."""

    def __init__(self, model: Qwen3_5VisionModel, rows: int, cols: int):
        at = torch.arange(rows * cols).reshape(rows // MERGE, MERGE, cols // MERGE, MERGE).transpose(1, 2).flatten()
        self.row, self.col = at // cols, at % cols
        angles = [p[:, None].float() * model.rotary_pos_emb.inv_freq for p in (self.row, self.col)]
        angles = torch.cat(angles, -1)
        angles = torch.cat([angles, angles], -1)
        self.cos, self.sin = angles.cos(), angles.sin()
        side = model.num_grid_per_side
        taps = []
        for p, n in ((self.row, rows), (self.col, cols)):
            source = p.float() * ((side - 1) / max(n - 1, 1))
            low = source.floor().long()
            taps.append((low, (low + 1).clamp(max=side - 1), source - low))
        (r0, r1, fr), (c0, c1, fc) = taps
        self.taps = torch.stack([r0 * side + c0, r0 * side + c1, r1 * side + c0, r1 * side + c1], 1)
        self.hats = torch.stack([(1 - fr) * (1 - fc), (1 - fr) * fc, fr * (1 - fc), fr * fc], 1)


class Eyes(torch.nn.Module):
    """transformers' tower with a batched forward pass."""

    def __init__(self):
        super().__init__()
        self.tower = build()
        self.grids: dict[tuple[int, int], Grid] = {}

    def grid(self, rows: int, cols: int) -> Grid:
        if (rows, cols) not in self.grids:
            self.grids[rows, cols] = Grid(self.tower, rows, cols)
        return self.grids[rows, cols]

    def forward(self, x: torch.Tensor, rows: int, cols: int) -> torch.Tensor:
        """[B, patches, 1536] -> [B, patches / 4, 256]."""
        t, grid = self.tower, self.grid(rows, cols)
        x = F.linear(x, t.patch_embed.proj.weight.flatten(1), t.patch_embed.proj.bias)
        x = x + (t.pos_embed(grid.taps) * grid.hats[:, :, None]).sum(1)
        batch, count, width = x.shape
        for block in t.blocks:
            q, k, v = block.attn.qkv(block.norm1(x)).reshape(batch, count, 3, block.attn.num_heads, -1).unbind(2)
            q, k = apply_rotary_pos_emb_vision(q, k, grid.cos, grid.sin)
            mixed = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2))
            x = x + block.attn.proj(mixed.transpose(1, 2).reshape(batch, count, width))
            x = x + block.mlp(block.norm2(x))
        return t.merger(x.reshape(batch * count, width)).reshape(batch, count // MERGE ** 2, -1)


# --- prompts ----------------------------------------------------------------------------------------------------------

IMAGE_PLACE = "<|image_pad|>"
VIDEO_PLACE = "<|vision_start|><|video_pad|><|vision_end|>"


def expand(text: str, tokens: int, seconds: list[float] | None) -> str:
    """Puts a placeholder for every row of the tower; a clip gets the time of every step."""
    if seconds is None:
        return text.replace(IMAGE_PLACE, IMAGE_PLACE * tokens)
    steps = "".join(f"<{s:.1f} seconds><|vision_start|>{'<|video_pad|>' * tokens}<|vision_end|>" for s in seconds)
    return text.replace(VIDEO_PLACE, steps)


def positions(ids: list[int], places: set[int], cols: int) -> list[list[int]]:
    """Three axes for every token; runs of places are pictures of `cols` tokens a row."""
    out, now, i = ([], [], []), 0, 0
    while i < len(ids):
        if ids[i] not in places:
            for axis in out:
                axis.append(now)
            now, i = now + 1, i + 1
            continue
        run = i
        while run < len(ids) and ids[run] in places:
            run += 1
        for n in range(run - i):
            out[0].append(now)
            out[1].append(now + n // cols)
            out[2].append(now + n % cols)
        now, i = now + max(-(-(run - i) // cols), cols), run
    return list(out)
