"""Sparse matrices on fake tensors: one number spread over the shape, and what autograd keeps of a sparse one.

The device that stands in for a GPU has no sparse kernels.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch


class _Made(torch.autograd.Function):
    """torch.sparse_coo_tensor: its backward pass reads the matrix that was made, and so keeps places and values."""

    @staticmethod
    def forward(ctx: Any, places: torch.Tensor, values: torch.Tensor, size: Any) -> torch.Tensor:
        ctx.save_for_backward(places.long(), values)  # a sparse matrix has its places in 64 bits
        return values.new_zeros(()).expand(size)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        _, values = ctx.saved_tensors
        return None, gradients[0].new_empty(values.shape, dtype=values.dtype), None


class _Sorted(torch.autograd.Function):
    """A matrix coalesced: places and values in order, which are new ones, and which making it dense keeps."""

    @staticmethod
    def forward(ctx: Any, whole: torch.Tensor, places: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(places.long().clone(), values.clone())
        return whole.view_as(whole)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:  # noqa: ARG004
        return gradients[0], None, None


def _made(indices: torch.Tensor, values: torch.Tensor, size: Any, **_: Any) -> torch.Tensor:
    whole: Any = _Made.apply(indices, values, tuple(size))
    whole.sparse_parts = indices, values.detach()
    return whole


class _Product(torch.autograd.Function):
    """A sparse matrix times a dense one, both of which are kept."""

    @staticmethod
    def forward(ctx: Any, whole: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(second)
        ctx.size = whole.shape
        return second.new_empty(whole.shape[0], second.shape[1])

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        (second,) = ctx.saved_tensors
        return gradients[0].new_zeros(()).expand(ctx.size), torch.empty_like(second)


class _Numbers:
    """Numbers that are known, in the place of a tensor that is only read."""

    def __init__(self, numbers: tuple[int, ...]) -> None:
        self.numbers = numbers

    def tolist(self) -> list[int]:
        return list(self.numbers)


def tell_sizes(model: torch.nn.Module) -> None:
    """FRoD reads the size of its sparse matrix, as wide as the base it is in, from a tensor in every forward pass."""
    for module in model.modules():
        bases: Any = getattr(module, "frod_V", None)
        if bases is not None and getattr(module, "frod_s_size", None) is not None and hasattr(module, "frod_U"):
            sizes = {name: _Numbers((bases[name].shape[-1],) * 2) for name in bases}
            object.__setattr__(module, "frod_s_size", sizes)


@contextlib.contextmanager
def dense_instead() -> Iterator[None]:
    """Inside, sparse matrices are dense ones of one number, and answer what a sparse one is asked."""
    library: Any = torch
    kept = library.sparse_coo_tensor, library.sparse.mm
    kept_methods = library.Tensor.coalesce, library.Tensor._nnz, library.Tensor.to_dense

    def coalesce(self: Any) -> torch.Tensor:
        if not hasattr(self, "sparse_parts"):
            made: torch.Tensor = kept_methods[0](self)
            return made
        whole: Any = _Sorted.apply(self, *self.sparse_parts)
        whole.sparse_parts = self.sparse_parts
        return whole

    def count(self: Any) -> int:
        return int(self.sparse_parts[1].numel() if hasattr(self, "sparse_parts") else kept_methods[1](self))

    def product(first: torch.Tensor, second: torch.Tensor, *rest: Any) -> torch.Tensor:
        made: torch.Tensor = (
            _Product.apply(first, second) if hasattr(first, "sparse_parts") else kept[1](first, second, *rest)
        )
        return made

    def filled(self: Any, *given: Any, **named: Any) -> torch.Tensor:
        made: torch.Tensor = (
            self.contiguous() if hasattr(self, "sparse_parts") else kept_methods[2](self, *given, **named)
        )
        return made

    library.sparse_coo_tensor, library.sparse.mm = _made, product
    library.Tensor.coalesce, library.Tensor._nnz, library.Tensor.to_dense = coalesce, count, filled
    try:
        yield
    finally:
        library.sparse_coo_tensor, library.sparse.mm = kept
        library.Tensor.coalesce, library.Tensor._nnz, library.Tensor.to_dense = kept_methods
