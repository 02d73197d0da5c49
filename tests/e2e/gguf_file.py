"""Reads and writes GGUF files, for tests that make files in the layouts that publishers use."""
import struct
from dataclasses import dataclass

UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
F32, F16 = 0, 1
ALIGNMENT = 32
# Values in a block, its bytes.
TYPE_BYTES = {0: (1, 4), 1: (1, 2), 2: (32, 18), 6: (32, 22), 8: (32, 34), 12: (256, 144), 14: (256, 210)}


@dataclass
class Tensor:
    dims: tuple  # row length first
    type: int
    data: bytes

    def floats(self):
        assert self.type == F32
        return list(struct.unpack(f"<{len(self.data) // 4}f", self.data))


def f32(dims, values):
    return Tensor(tuple(dims), F32, struct.pack(f"<{len(values)}f", *values))


def f16(dims, values):
    return Tensor(tuple(dims), F16, struct.pack(f"<{len(values)}e", *values))


def packed_text(words):
    data = words if isinstance(words, bytes) else words.encode()
    return struct.pack("<Q", len(data)) + data


def packed_value(kind, what):
    if kind == STRING:
        return packed_text(what)
    if kind == ARRAY:
        element, items = what
        return struct.pack("<IQ", element, len(items)) + b"".join(packed_value(element, item) for item in items)
    return struct.pack("<" + FORMATS[kind], what)


def packed_key(name, kind, what):
    return packed_text(name) + struct.pack("<I", kind) + packed_value(kind, what)


def packed_tensor(name, dims, kind, offset):
    return packed_text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, offset)


class Gguf:
    def __init__(self):
        self.metadata = {}  # key -> (type, value); an array's value is (element type, list)
        self.tensors = {}  # name -> Tensor

    @staticmethod
    def read(path):
        out = Gguf()
        with open(path, "rb") as file:
            data = file.read()
        at = 24

        def take(form):
            nonlocal at
            value = struct.unpack_from("<" + form, data, at)
            at += struct.calcsize("<" + form)
            return value[0] if len(value) == 1 else value

        def text():
            nonlocal at
            length = take("Q")
            at += length
            return data[at - length:at].decode()

        def value(kind):
            if kind == STRING:
                return text()
            if kind == ARRAY:
                element, count = take("I"), take("Q")
                return element, [value(element) for _ in range(count)]
            return take(FORMATS[kind])

        _, tensors, keys = struct.unpack_from("<IQQ", data, 4)
        for _ in range(keys):
            key, kind = text(), take("I")
            out.metadata[key] = (kind, value(kind))
        directory = []
        for _ in range(tensors):
            name, count = text(), take("I")
            dims = struct.unpack_from(f"<{count}Q", data, at)
            at += 8 * count
            directory.append((name, dims, take("I"), take("Q")))
        start = -(-at // ALIGNMENT) * ALIGNMENT
        for name, dims, kind, offset in directory:
            count = 1
            for dim in dims:
                count *= dim
            values, block = TYPE_BYTES[kind]
            size = count // values * block
            out.tensors[name] = Tensor(dims, kind, data[start + offset:start + offset + size])
        return out

    def write(self, path):
        head = b"GGUF" + struct.pack("<IQQ", 3, len(self.tensors), len(self.metadata))
        for key, (kind, what) in self.metadata.items():
            head += packed_key(key, kind, what)
        body = b""
        for name, tensor in self.tensors.items():
            head += packed_tensor(name, tensor.dims, tensor.type, len(body))
            body += tensor.data + bytes(-len(tensor.data) % ALIGNMENT)
        with open(path, "wb") as file:
            file.write(head + bytes(-len(head) % ALIGNMENT) + body)

    def set(self, key, kind, what):
        self.metadata[key] = (kind, what)

    def rename(self, old, new):
        """Keeps the tensor's place."""
        self.tensors = {new if name == old else name: tensor for name, tensor in self.tensors.items()}


def split_in_two(whole, folder, stem):
    """The parts that llama.cpp's gguf-split makes of a file; returns the first one's path."""
    names = list(whole.tensors)
    for index, part_names in enumerate((names[:len(names) // 2], names[len(names) // 2:])):
        part = Gguf()
        part.metadata = dict(whole.metadata) if index == 0 else {}
        part.set("split.no", 2, index)
        part.set("split.count", 2, 2)
        part.set("split.tensors.count", INT32, len(names))
        part.tensors = {name: whole.tensors[name] for name in part_names}
        part.write(folder / f"{stem}-{index + 1:05}-of-00002.gguf")
    return folder / f"{stem}-00001-of-00002.gguf"


def merge_as_ollama(model, vision, edges):
    """Text, vision and MTP in one file, as Ollama's Qwen3.5 packages of early 2026: other names, MTP norms that are not
    shifted by one, separate projections and one patch embedding with a time axis. edges: least and most pixels."""
    out = Gguf()
    out.metadata = dict(model.metadata)
    layers = model.metadata["qwen35.block_count"][1] - model.metadata["qwen35.nextn_predict_layers"][1]
    heads = model.metadata["qwen35.attention.head_count_kv"][1]
    interval = model.metadata["qwen35.full_attention_interval"][1]
    sections = model.metadata["qwen35.rope.dimension_sections"][1][1]
    del out.metadata["qwen35.nextn_predict_layers"]
    out.set("qwen35.block_count", UINT32, layers)
    out.set("qwen35.attention.head_count_kv", ARRAY,
            (INT32, [heads if (i + 1) % interval == 0 else 0 for i in range(layers)]))
    out.set("qwen35.rope.dimension_sections", ARRAY, (INT32, sections[:3]))
    out.set("qwen35.rope.mrope_interleaved", BOOL, True)
    out.set("qwen35.ssm.v_head_reordered", BOOL, True)
    out.set("qwen35.image_token_id", UINT32, 568)
    for key in ("block_count", "embedding_length", "attention.head_count", "patch_size", "spatial_merge_size",
                "attention.layer_norm_epsilon"):
        out.set(f"qwen35.vision.{key}", *vision.metadata[f"clip.vision.{key}"])
    out.set("qwen35.vision.temporal_patch_size", UINT32, 2)
    out.set("qwen35.vision.shortest_edge", UINT32, edges[0])
    out.set("qwen35.vision.longest_edge", UINT32, edges[1])
    mtp = {"nextn.eh_proj": "mtp.fc", "nextn.enorm": "mtp.pre_fc_norm_embedding", "nextn.hnorm": "mtp.pre_fc_norm_hidden",
           "nextn.shared_head_norm": "mtp.norm"}
    for name, tensor in model.tensors.items():
        if name.startswith(f"blk.{layers}."):
            rest, kind = name.removeprefix(f"blk.{layers}.").rsplit(".", 1)
            if "norm" in rest:
                tensor = f32(tensor.dims, [value - 1 for value in tensor.floats()])
            out.tensors[f"{mtp.get(rest, f'mtp.layers.0.{rest}')}.{kind}"] = tensor
        else:
            out.tensors[name.replace("ssm_dt.bias", "ssm_dt")] = tensor
    names = {".ln1.": ".norm1.", ".ln2.": ".norm2.", ".ffn_up.": ".mlp.linear_fc1.", ".ffn_down.": ".mlp.linear_fc2.",
             "v.post_ln.": "v.merger.norm.", "mm.0.": "v.merger.linear_fc1.", "mm.2.": "v.merger.linear_fc2.",
             "v.position_embd.": "v.pos_embed.", "v.patch_embd.bias": "v.patch_embed.bias"}
    for name, tensor in vision.tensors.items():
        for old, new in names.items():
            name = name.replace(old, new)
        if "attn_qkv" in name:
            third = len(tensor.data) // 3
            for i, letter in enumerate("qkv"):
                dims = (*tensor.dims[:-1], tensor.dims[-1] // 3)
                out.tensors[name.replace("attn_qkv", "attn_" + letter)] = Tensor(
                    dims, tensor.type, tensor.data[i * third:(i + 1) * third])
        elif not name.startswith("v.patch_embd.weight"):
            out.tensors[name] = tensor
    first, second = (vision.tensors[name] for name in ("v.patch_embd.weight", "v.patch_embd.weight.1"))
    width, height, colours, rows = first.dims
    values, plane = [], width * height
    for at in range(0, len(first.floats()), plane):
        values += first.floats()[at:at + plane] + second.floats()[at:at + plane]
    out.tensors["v.patch_embed.weight"] = f16((width, height, 2, colours * rows), values)
    return out


def round_patches(vision):
    """A vision file whose patch embedding has only values that binary16 has, so that both layouts hold the same."""
    for name in ("v.patch_embd.weight", "v.patch_embd.weight.1"):
        tensor = vision.tensors[name]
        count = len(tensor.data) // 4
        vision.tensors[name] = f32(tensor.dims, struct.unpack(f"<{count}e", struct.pack(f"<{count}e", *tensor.floats())))
    return vision
