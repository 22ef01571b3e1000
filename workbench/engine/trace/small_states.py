"""bitsandbytes' optimizers on fake tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch


def bitsandbytes_adamw(trained: Sequence[torch.Tensor], kind: str, rate: float, decay: float) -> Any:
    """AdamW with states in 8 bits, in memory that is paged, or both. Paged states are not on the device."""
    import bitsandbytes
    from bitsandbytes import functional
    from bitsandbytes.optim import optimizer as optimizers

    functional.create_dynamic_map = lambda *_, **__: torch.empty(256)  # the real one sorts values
    functional.is_on_gpu = lambda _: True
    functional.get_paged = _paged
    functional.prefetch_tensor = functional.fill = lambda *_, **__: None
    optimizers.F = functional
    bits = 8 if kind.endswith("8bit") else 32
    return bitsandbytes.optim.AdamW(
        trained, lr=rate, weight_decay=decay, optim_bits=bits, is_paged=kind.startswith("paged")
    )


def steps_of_small_updates() -> dict[Any, Callable[..., Any]]:
    """The one-step 8-bit update as a CPU does it: states unpacked to float32, updated, and packed again."""
    import bitsandbytes  # noqa: F401
    from bitsandbytes.backends.cpu.ops import _optimizer_update_8bit_blockwise_cpu

    return {torch.ops.bitsandbytes.optimizer_update_8bit_blockwise.default: _optimizer_update_8bit_blockwise_cpu}


def _paged(*shape: int, dtype: torch.dtype = torch.float32, device: Any = None) -> torch.Tensor:  # noqa: ARG001
    """Memory that the driver pages: on no device that is counted."""
    made: Any = torch.empty(*shape, dtype=dtype, device="meta")
    made.is_paged, made.page_deviceid = True, 0
    return made
