"""A chunked gated delta rule that trains faster on a CPU than the fallback in transformers; same result."""

import torch
import torch.nn.functional as F


def _unit_lower_inverse(a: torch.Tensor) -> torch.Tensor:
    """(I + a)^-1 for strictly lower triangular a, by doubling the size of inverted diagonal blocks."""
    size = a.shape[-1]
    inverse = torch.eye(size, dtype=a.dtype, device=a.device).expand(a.shape).contiguous()
    width = 1
    while width < size:
        # [[P, 0], [C, Q]]^-1 = [[P', 0], [-Q' C P', Q']] for every pair of neighbouring blocks
        pairs = size // (2 * width)
        view = inverse.unflatten(-1, (pairs, 2 * width)).unflatten(-3, (pairs, 2 * width))
        blocks = view.diagonal(dim1=-4, dim2=-2)  # [..., 2w, 2w, pairs]
        low = a.unflatten(-1, (pairs, 2 * width)).unflatten(-3, (pairs, 2 * width)).diagonal(dim1=-4, dim2=-2)
        p = blocks[..., :width, :width, :].movedim(-1, -3)
        q = blocks[..., width:, width:, :].movedim(-1, -3)
        c = low[..., width:, :width, :].movedim(-1, -3)
        blocks[..., width:, :width, :] = -(q @ c @ p).movedim(-3, -1)
        width *= 2
    return inverse


class UnitLowerInverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        inverse = _unit_lower_inverse(a)
        ctx.save_for_backward(inverse)
        return inverse

    @staticmethod
    def backward(ctx, grad):
        (inverse,) = ctx.saved_tensors
        t = inverse.transpose(-1, -2)
        return -(t @ grad @ t).tril(-1)


def chunk_gated_delta_rule(query, key, value, g, beta, chunk_size=32, initial_state=None, output_final_state=False,
                           use_qk_l2norm_in_kernel=True, **kwargs):
    """Drop-in for transformers' torch_chunk_gated_delta_rule without initial state (training)."""
    if initial_state is not None or output_final_state or not use_qk_l2norm_in_kernel:  # generation, not training
        return _reference(query, key, value, g, beta, initial_state=initial_state,
                          output_final_state=output_final_state,
                          use_qk_l2norm_in_kernel=use_qk_l2norm_in_kernel, **kwargs)
    batch, length, heads = value.shape[:3]
    repeat = heads // key.shape[2]
    pad = -length % chunk_size

    def chunks(x, spread=1):
        x = x.float().transpose(1, 2)
        if spread > 1:
            x = x.repeat_interleave(spread, dim=1)
        x = F.pad(x, (0, 0, 0, pad)) if x.dim() == 4 else F.pad(x, (0, pad))
        return x.unflatten(2, (-1, chunk_size))

    def unit(x):
        return x * torch.rsqrt((x * x).sum(-1, keepdim=True) + 1e-6)

    q = chunks(unit(query.float()) * query.shape[-1] ** -0.5, repeat)
    k = chunks(unit(key.float()), repeat)
    v, b, decay = chunks(value), chunks(beta)[..., None], chunks(g).cumsum(-1)
    mask = torch.ones(chunk_size, chunk_size, dtype=torch.bool, device=q.device).tril()
    pairwise = (decay[..., :, None] - decay[..., None, :]).masked_fill(~mask, float("-inf")).exp()
    kk = (k @ k.transpose(-1, -2)).float()
    inner = (q @ k.transpose(-1, -2)).float() * pairwise
    solve = UnitLowerInverse.apply((b * kk * pairwise).tril(-1))
    grown = decay.exp()[..., None]
    u, w = solve @ (v * b), solve @ (k * b * grown)
    q, k = q * grown, k * (decay[..., -1:] - decay).exp()[..., None]
    last = decay[..., -1].exp()[..., None, None]

    state, out = None, []
    for i in range(q.shape[2]):
        fresh, read = u[:, :, i].float(), 0
        if state is not None:
            fresh = fresh - w[:, :, i] @ state
            read = q[:, :, i] @ state
        out.append(read + inner[:, :, i] @ fresh)
        update = (k[:, :, i].transpose(-1, -2) @ fresh).float()
        state = update if state is None else state * last[:, :, i] + update
    out = torch.cat(out, dim=2)[:, :, :length]
    return out.transpose(1, 2).to(query.dtype).contiguous(), None


_reference = None  # transformers' own function, for what this one does not do


def install() -> None:
    """Makes transformers' Qwen3.5 use this function in training; with a cache it keeps its own."""
    from transformers.models.qwen3_5 import modeling_qwen3_5
    own = modeling_qwen3_5.torch_chunk_gated_delta_rule

    def choose(*args, initial_state=None, output_final_state=False, **kwargs):
        if initial_state is None and not output_final_state:
            return chunk_gated_delta_rule(*args, **kwargs)
        return own(*args, initial_state=initial_state, output_final_state=output_final_state, **kwargs)

    modeling_qwen3_5.torch_chunk_gated_delta_rule = choose
