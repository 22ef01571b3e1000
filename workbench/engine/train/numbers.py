"""Device and precision of a run, decided once, with what stands against it in a sentence."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from workbench.core.errors import UserError
from workbench.core.memory.numbers import resolve_autocast, resolve_precision
from workbench.core.recipe import Recipe


@dataclass(frozen=True)
class Numbers:
    """Where a run computes, and in which numbers."""

    device: torch.device
    precision: str
    """What the base is held in."""
    autocast: torch.dtype | None
    """What the forward pass computes in where that is mixed, else None."""
    notices: tuple[str, ...] = ()


def choose_device() -> torch.device:
    """The GPU of this process where torch has one, else the CPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    import os

    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def choose_numbers(recipe: Recipe, device: torch.device) -> Numbers:
    """The precision and autocast in force on `device`; UserError where they cannot be trained in."""
    precision = resolve_precision(recipe, device.type)
    mixed = resolve_autocast(recipe, device.type)
    full = recipe.method.name == "full"
    notices: list[str] = []
    lacking = device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False)
    if lacking and recipe.training.precision == "auto":
        precision = "float32" if full else "float16"
        notices.append(f"This GPU has no bfloat16; the run holds its base in {precision} and computes in float16.")
    if device.type == "cpu" and recipe.training.optimizer.startswith("paged"):
        notices.append("Paged optimizers page between GPU and CPU memory; on a CPU the same optimizer runs unpaged.")
    if precision == "float16" and full and mixed:
        raise UserError(
            "training.precision cannot be float16 for full fine-tuning in mixed precision, whose gradients it cannot "
            "scale; it takes float32 or bfloat16."
        )
    if not mixed:
        return Numbers(device, precision, None, tuple(notices))
    half = device.type == "cuda" and (precision == "float16" or lacking)
    return Numbers(device, precision, torch.float16 if half else torch.bfloat16, tuple(notices))
