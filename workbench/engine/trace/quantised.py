"""A quantised base on fake tensors: bitsandbytes' own layers, with storage and scales laid out by hand.

bitsandbytes makes them from values, which fake tensors do not have.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from workbench.core.errors import UserError
from workbench.core.models.stored import BLOCK, OUTER_BLOCK, Stored

CODE_4, CODE_8 = 16, 256
"""Entries of the tables that 4-bit numbers and their scales stand for."""


def quantise(model: nn.Module, stored: Stored, compute: torch.dtype, output_layer: str) -> None:
    """Put quantised layers in the place of the linear ones that `stored` reaches."""
    for name, module in list(model.named_modules()):
        for leaf, child in list(module.named_children()):
            full = f"{name}.{leaf}" if name else leaf
            transposed = isinstance(child, Conv1D) and stored.by_bitsandbytes
            if (type(child) is nn.Linear or transposed) and stored.reaches(full, output_layer):
                setattr(module, leaf, _quantised(_plain(child), stored, compute))
        if not stored.by_bitsandbytes and any(one.dim() == 3 for one in module._parameters.values() if one is not None):
            raise UserError(
                f"Experts that are stored as {stored.kind} cannot be traced; the estimate is by the formula alone."
            )
    marked: Any = model
    marked.is_quantized = stored.by_bitsandbytes
    if stored.by_bitsandbytes:
        marked.is_loaded_in_8bit, marked.is_loaded_in_4bit = stored.kind == "int8", stored.kind != "int8"
    else:
        marked.requires_grad_(False)


def _quantised(linear: nn.Linear, stored: Stored, compute: torch.dtype) -> nn.Module:
    if not stored.by_bitsandbytes:
        return _packed(linear, stored)
    return _eight_bit(linear) if stored.kind == "int8" else _four_bit(linear, stored.kind, stored.double, compute)


def _plain(layer: Any) -> nn.Linear:
    """A linear layer of the sizes of GPT-2's transposed one; any other as it is."""
    if isinstance(layer, nn.Linear):
        return layer
    plain = nn.Linear.__new__(nn.Linear)
    nn.Module.__init__(plain)
    plain.in_features, plain.out_features = layer.weight.shape
    plain.weight, plain.bias = layer.weight, layer.bias
    return plain


class _Packed(nn.Linear):
    """A layer of GPTQ, AWQ and their like: packed numbers, unpacked to the input's numbers for every product."""

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        return _PackedProduct.apply(given, self.weight, self.out_features, self.bias)


def _packed(linear: nn.Linear, stored: Stored) -> nn.Module:
    layer: Any = _Packed.__new__(_Packed)
    nn.Module.__init__(layer)
    layer.in_features, layer.out_features = linear.in_features, linear.out_features
    size = int(linear.in_features * linear.out_features * stored.each)
    layer.weight = nn.Parameter(torch.empty(size, dtype=torch.uint8, device=linear.weight.device), requires_grad=False)
    layer.bias = linear.bias
    return layer


class _PackedProduct(torch.autograd.Function):
    """The weight is made anew in both passes and kept in neither."""

    @staticmethod
    def forward(ctx: Any, given: torch.Tensor, weight: torch.Tensor, outputs: int, bias: Any) -> torch.Tensor:  # noqa: ARG004
        ctx.shape = (outputs, given.shape[-1])
        whole = torch.empty(ctx.shape, dtype=given.dtype, device=given.device)
        return nn.functional.linear(given, whole, None if bias is None else bias.to(given.dtype))

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        (gradient,) = gradients
        whole = torch.empty(ctx.shape, dtype=gradient.dtype, device=gradient.device)
        return torch.matmul(gradient, whole), None, None, None


def _four_bit(linear: nn.Linear, kind: str, double: bool, compute: torch.dtype) -> nn.Module:
    import bitsandbytes
    from bitsandbytes.functional import QuantState

    device, shape = linear.weight.device, torch.Size((linear.out_features, linear.in_features))

    def empty(size: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        return torch.empty(size, dtype=dtype, device=device)

    values = linear.out_features * linear.in_features
    blocks = -(-values // BLOCK)
    state: Any = {"shape": shape, "code": empty(CODE_4), "blocksize": BLOCK, "quant_type": kind, "dtype": compute}
    if double:
        outer = QuantState(
            absmax=empty(-(-blocks // OUTER_BLOCK)), code=empty(CODE_8), blocksize=OUTER_BLOCK, dtype=torch.float32
        )
        state |= {"absmax": empty(blocks, torch.uint8), "offset": empty(1).reshape(()), "state2": outer}
    else:
        state |= {"absmax": empty(blocks)}

    class FourBit(bitsandbytes.nn.Linear4bit):
        """The layer, with its product as bitsandbytes computes it and autograd sees it."""

        def forward(self, given: torch.Tensor) -> torch.Tensor:
            kept = given.dtype
            bias = None if self.bias is None else self.bias.to(self.compute_dtype)
            product = bitsandbytes.matmul_4bit(
                given.to(self.compute_dtype), self.weight.t(), bias=bias, quant_state=self.quant_state
            )
            return product.to(kept)

    layer: Any = FourBit.__new__(FourBit)
    nn.Module.__init__(layer)
    layer.in_features, layer.out_features = linear.in_features, linear.out_features
    layer.compute_dtype, layer.compute_type_is_set, layer.quant_type = compute, True, kind
    layer.support_avx512bf16_for_cpu = False
    weight: Any = nn.Parameter(torch.empty((values + 1) // 2, 1, dtype=torch.uint8, device=device), requires_grad=False)
    weight.quant_state = layer.quant_state = QuantState(**state)
    weight.compress_statistics, weight.quant_type, weight.blocksize, weight.bnb_quantized = double, kind, BLOCK, True
    layer.weight, layer.bias = weight, linear.bias
    return layer


def _eight_bit(linear: nn.Linear) -> nn.Module:
    import bitsandbytes

    class EightBit(bitsandbytes.nn.Linear8bitLt):
        """LLM.int8(): products of int8 rows; scales a row; nothing that stands out, as in a model of this day."""

        def forward(self, given: torch.Tensor) -> torch.Tensor:
            return _EightBitProduct.apply(given, self.weight, self.scales, self.bias)

    layer: Any = EightBit.__new__(EightBit)
    nn.Module.__init__(layer)
    layer.in_features, layer.out_features = linear.in_features, linear.out_features
    shape, device = (linear.out_features, linear.in_features), linear.weight.device
    layer.weight = nn.Parameter(torch.empty(shape, dtype=torch.int8, device=device), requires_grad=False)
    layer.scales = torch.empty(shape[0], dtype=torch.float32, device=device)
    layer.bias = linear.bias
    layer.state = bitsandbytes.MatmulLtState()
    layer.state.has_fp16_weights, layer.state.threshold = False, 6.0
    layer.index = None
    return layer


class _EightBitProduct(torch.autograd.Function):
    """What bitsandbytes' MatMul8bitLt allocates and keeps with a frozen int8 weight (autograd/_functions.py).

    Forward: the input in float16, its int8 rows and scales, an int32 product, the result. Backward: the weight in the
    gradient's numbers, and the input's gradient.
    """

    @staticmethod
    def forward(ctx: Any, given: torch.Tensor, weight: torch.Tensor, scales: torch.Tensor, bias: Any) -> torch.Tensor:
        half = given.to(torch.float16)
        rows = half.reshape(-1, half.shape[-1])
        whole = torch.empty(rows.shape, dtype=torch.int8, device=given.device)
        row_scales = torch.empty(rows.shape[0], dtype=torch.float32, device=given.device)
        product = torch.empty((rows.shape[0], weight.shape[0]), dtype=torch.int32, device=given.device)
        out = torch.empty((rows.shape[0], weight.shape[0]), dtype=torch.float16, device=given.device)
        del whole, row_scales, product
        if bias is not None:
            out.add_(bias.to(out.dtype))
        ctx.save_for_backward(weight, scales)
        ctx.kind = given.dtype
        return out.reshape(*given.shape[:-1], weight.shape[0]).to(given.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        weight, scales = ctx.saved_tensors
        (gradient,) = gradients
        unpacked = weight.to(ctx.kind).mul_(scales.unsqueeze(1).mul(1.0 / 127.0).to(ctx.kind))
        return (
            torch.matmul(gradient.to(ctx.kind), unpacked).view(*gradient.shape[:-1], weight.shape[1]),
            None,
            None,
            None,
        )


@contextlib.contextmanager
def weights_written_out() -> Iterator[None]:
    """DoRA asks for a 4-bit weight written out, which PEFT does by the class of bitsandbytes' weights."""
    from peft.tuners.lora import dora

    kept = dora.dequantize_module_weight

    def written_out(module: Any) -> Any:
        state = getattr(module, "quant_state", None)
        if state is None:
            return kept(module)
        return torch.empty(state.shape, dtype=state.dtype, device=module.weight.device)

    dora.dequantize_module_weight = written_out
    try:
        yield
    finally:
        dora.dequantize_module_weight = kept


def quantised_tensors(model: nn.Module) -> Iterator[torch.Tensor]:
    """Scales and tables of the quantised layers, which are neither parameters nor buffers."""
    for module in model.modules():
        state = getattr(module, "quant_state", None)
        if state is not None:
            yield from (state.absmax, state.code)
            if state.state2 is not None:
                yield from (state.state2.absmax, state.state2.code, state.offset)
        scales = getattr(module, "scales", None)
        if isinstance(scales, torch.Tensor):
            yield scales


def steps_of_quantised_products() -> dict[Any, Callable[..., Any]]:
    """The one-step 4-bit product as what it does for many rows: unpack the weight, then multiply."""
    import bitsandbytes  # noqa: F401
    from bitsandbytes.backends.default.ops import _gemm_4bit_default_impl

    return {torch.ops.bitsandbytes.gemm_4bit.default: _gemm_4bit_default_impl}
