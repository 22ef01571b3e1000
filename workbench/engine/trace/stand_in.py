"""A stand-in for a GPU on a machine that has none: a device that torch knows, and that computes nothing.

Autograd, dropout, and the fused and for-each optimizers choose their ways by the device; on fake tensors of the CPU or
the meta device they would choose others than on a GPU, and keep other tensors.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

STAND_IN = "fakegpu"


class _Backend:
    """What torch asks a device's module for."""

    def is_initialized(self) -> bool:
        return True

    def is_available(self) -> bool:
        return True

    def current_device(self) -> int:
        return 0

    def device_count(self) -> int:
        return 1

    def _is_in_bad_fork(self) -> bool:
        return False

    def manual_seed(self, seed: int) -> None:
        """Nothing is drawn."""

    def manual_seed_all(self, seed: int) -> None:
        """Nothing is drawn."""

    def get_rng_state(self, device: Any = None) -> torch.Tensor:  # noqa: ARG002
        return torch.empty(0, dtype=torch.uint8)

    def set_rng_state(self, state: torch.Tensor, device: Any = None) -> None:
        """Nothing is drawn."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]

    def is_bf16_supported(self, *_: Any) -> bool:
        return True

    @contextlib.contextmanager
    def device(self, _: Any) -> Iterator[None]:
        yield


WHOLE = ("silu_backward", "mish_backward")
"""Operations that a GPU has a kernel of its own for, and that torch takes apart on a device that has none."""

_kernels: list[Any] = []
_registered = False


def _keep_whole() -> None:
    """Give the stand-in kernels that are never run: what calls them is a fake tensor, which asks for shapes alone."""
    library = torch.library.Library("aten", "IMPL", "PrivateUse1")
    for name in WHOLE:
        library.impl(name, lambda gradient, value: torch.empty_like(value))  # noqa: ARG005
    _kernels.append(library)


def stand_in_device() -> torch.device:
    """The stand-in, registered with torch on first use: before the first backward pass, and once a process."""
    global _registered
    if not _registered:
        torch.utils.backend_registration._setup_privateuseone_for_python_backend(STAND_IN, backend_module=_Backend())
        _keep_whole()
        _registered = True
    return torch.device(STAND_IN, 0)
