"""Mixed precision on the stand-in device, which has no autocast of its own: the same casts, operation by operation."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

LOW = {
    functional.linear, functional.conv1d, functional.conv2d, torch.matmul, torch.Tensor.matmul, torch.Tensor.__matmul__,
    torch.mm, torch.bmm, torch.addmm, torch.baddbmm, torch.Tensor.mm, torch.Tensor.bmm, torch.Tensor.addmm,
    torch.Tensor.baddbmm, torch.Tensor.addbmm, torch.addbmm, torch.einsum,
    torch.chain_matmul,
}  # fmt: skip
"""Operations that autocast computes in 16 bits (torch's autocast_mode.h, for CUDA)."""

FULL = {
    torch.pow, torch.Tensor.pow, torch.Tensor.__pow__, torch.rsqrt, torch.Tensor.rsqrt, torch.exp, torch.Tensor.exp,
    torch.log, torch.Tensor.log, functional.layer_norm, functional.group_norm, functional.softplus,
    functional.cross_entropy, functional.nll_loss, functional.log_softmax, torch.log_softmax, functional.mse_loss,
    functional.kl_div, torch.norm, torch.Tensor.norm, torch.cumsum, torch.Tensor.cumsum,
}  # fmt: skip
"""Operations that autocast computes in float32."""

FULL_UNLESS_TOLD = {functional.softmax, torch.softmax, torch.Tensor.softmax, torch.sum, torch.Tensor.sum}
"""The same, where no dtype is asked for."""


class Mixed(TorchFunctionMode):
    """Autocast to 16 bits: inputs are cast as CUDA's autocast casts them, trained weights once a forward pass."""

    active: ClassVar[Mixed | None] = None

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.forward = True
        """Whether this is a forward pass, in which casts of trained weights are kept."""
        self._kept: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self._asked = torch.is_autocast_enabled

    def __enter__(self) -> Mixed:
        Mixed.active = self
        # PEFT's layers over bitsandbytes' ask whether a GPU casts, and leave their input as it is where it does
        torch.is_autocast_enabled = lambda *kind: self._asked(*kind) if kind else True
        super().__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        Mixed.active = None
        torch.is_autocast_enabled = self._asked
        self.clear()
        super().__exit__(*raised)

    def clear(self) -> None:
        """Forget the casts of weights, as autocast does at its end."""
        self._kept.clear()

    def low(self, value: Any) -> Any:
        """The value in 16 bits."""
        if not isinstance(value, torch.Tensor) or not value.is_floating_point() or value.dtype == self.dtype:
            return value
        if self.forward and value.is_leaf and value.requires_grad and value.dtype == torch.float32:
            if id(value) not in self._kept:
                self._kept[id(value)] = (value, value.to(self.dtype))
            return self._kept[id(value)][1]
        return value.to(self.dtype)

    def full(self, value: Any) -> Any:
        """The value in float32."""
        halved = isinstance(value, torch.Tensor) and value.dtype in (torch.bfloat16, torch.float16)
        return value.float() if halved else value

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        cast = None
        if func in LOW:
            cast = self.low
        elif func in FULL or (func in FULL_UNLESS_TOLD and kwargs.get("dtype") is None):
            cast = self.full
        if cast is not None:
            args = tuple(_each(cast, one) for one in args)
            kwargs = {name: _each(cast, one) for name, one in kwargs.items()}
        return func(*args, **kwargs)


def _each(cast: Any, value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return type(value)(cast(one) for one in value)
    return cast(value)
