"""Which attention kernel a GPU would take, and which masks Transformers would make; fake tensors hide both."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch.nn import functional

from workbench.engine.trace.mixed import Mixed
from workbench.engine.trace.stand_in import STAND_IN

aten = torch.ops.aten
_real = functional.scaled_dot_product_attention

FLASH_HEAD = 256
"""Largest head of the flash kernel."""

HALF = (torch.float16, torch.bfloat16)


def kernel_for(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: Any, grouped: bool) -> str:
    """flash, efficient or math, in the order in which torch prefers them on a GPU (ATen's sdp_utils, SM80 and up)."""
    size = query.shape[-1]
    if mask is None and query.dtype in HALF and size <= FLASH_HEAD and size == value.shape[-1]:
        return "flash"
    return "math" if grouped and query.shape[1] != key.shape[1] else "efficient"


def _attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> torch.Tensor:
    """torch's attention; on the stand-in, by the kernel that a GPU would take."""
    if query.device.type != STAND_IN:
        return _real(query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa)
    mixed = Mixed.active
    if mixed is not None:
        query, key, value = mixed.low(query), mixed.low(key), mixed.low(value)
        if attn_mask is not None and attn_mask.dtype != torch.bool:
            attn_mask = mixed.low(attn_mask)
    kernel = kernel_for(query, key, value, attn_mask, enable_gqa)
    if kernel == "math":
        return aten._scaled_dot_product_attention_math(
            query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
        )[0]
    size = query.shape[-1]
    if kernel == "flash":
        padded = math.ceil(size / 8) * 8
        if padded != size:
            query, key, value = (functional.pad(one, (0, padded - size)) for one in (query, key, value))
        out = aten._scaled_dot_product_flash_attention(
            query, key, value, dropout_p, is_causal, False, scale=scale or size**-0.5
        )[0]
        return out[..., :size] if padded != size else out
    if attn_mask is not None:
        attn_mask = _additive(attn_mask, query).expand(query.shape[0], query.shape[1], query.shape[2], key.shape[2])
    return aten._scaled_dot_product_efficient_attention(
        query, key, value, attn_mask, True, dropout_p, is_causal, scale=scale
    )[0]


def _additive(mask: torch.Tensor, query: torch.Tensor) -> torch.Tensor:
    """A mask of truths as numbers to add, a copy per layer, with rows filled up to a multiple of 8 as ATen does."""
    if mask.dtype == torch.bool:
        numbers = torch.zeros_like(mask, dtype=query.dtype)
        mask = numbers.masked_fill_(mask.logical_not(), float("-inf"))
    rest = -mask.shape[-1] % 8
    return functional.pad(mask, (0, rest))[..., : mask.shape[-1]] if rest else mask


def flash_backward_workspace(out: Any, query: Any, key: Any, *_: Any, **__: Any) -> int:  # noqa: ARG001
    """Bytes that the flash kernel's backward pass takes for itself: the query's gradient in float32, and row sums.

    ATen's flash_api.cpp: rows are filled up to 128, heads to 32 or 64; with grouped queries also whole dk and dv.
    """
    batch, heads, rows, size = query.shape
    rows = -(-rows // 128) * 128
    wide = 32 if size <= 32 else -(-size // 32) * 32 if size <= 128 else -(-size // 64) * 64
    grouped = 2 * batch * key.shape[2] * heads * size * query.element_size() if key.shape[1] != heads else 0
    return int(batch * rows * heads * wide * 4 + batch * heads * rows * 4 + grouped)


def efficient_backward_workspace(out: Any, query: Any, *_: Any, **__: Any) -> int:  # noqa: ARG001
    """Bytes that the memory-efficient kernel's backward pass takes: the query's gradient in float32 for 16-bit ones."""
    batch, heads, rows, size = query.shape
    return int(batch * heads * rows * size * 4) if query.dtype in HALF else 0


WORKSPACES = {
    aten._scaled_dot_product_flash_attention_backward.default: flash_backward_workspace,
    aten._scaled_dot_product_efficient_attention_backward.default: efficient_backward_workspace,
}
"""What kernels of a GPU allocate inside an operation, where no tensor shows it."""


@contextlib.contextmanager
def attention_as_trained(masked: bool) -> Iterator[None]:
    """Attention as a run has it: by a GPU's kernels on the stand-in, with a mask only where rows differ in length.

    Transformers takes fake tensors for a compilation, in which it always makes a mask.
    """
    from transformers import masking_utils

    def ignore(*given: Any, **named: Any) -> bool:
        named |= dict(zip(("padding_mask", "q_length", "kv_length", "q_offset", "kv_offset"), given, strict=False))
        window = given[5] if len(given) > 5 else named.get("local_attention_size")
        whole = named["q_length"] == named["kv_length"]  # a prefix makes keys longer than queries
        return whole and not masked and not (window is not None and named["kv_length"] >= window)

    kept = (masking_utils.find_packed_sequence_indices, masking_utils._ignore_causal_mask_sdpa)
    masking_utils.find_packed_sequence_indices = lambda *_, **__: None
    masking_utils._ignore_causal_mask_sdpa = ignore
    functional.scaled_dot_product_attention = _attention
    try:
        yield
    finally:
        functional.scaled_dot_product_attention = _real
        masking_utils.find_packed_sequence_indices, masking_utils._ignore_causal_mask_sdpa = kept
