"""Which numbers a run computes in: bytes a value for weights, activations and what is trained."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.core.memory.device import Device
from workbench.core.memory.loop import TRAINER, Loop
from workbench.core.recipe import Recipe

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True, slots=True)
class Numbers:
    """Precision in bytes a value."""

    precision: str
    """Name of what the base model is held in."""
    weight: int
    activation: int
    inner: int
    """A value within a feed-forward, which a quantised layer gives back in its input's numbers."""
    trained: int
    """A trained parameter, its gradient, and each optimizer state that is not 8-bit."""
    adapter_input: int
    """The copy of its input that an adapter computes with."""
    autocast: bool
    """Whether the forward pass is in mixed precision."""
    device: str
    """cpu or cuda."""


def resolve_precision(recipe: Recipe, device_kind: str) -> str:
    """The precision in force: the recipe's own, else float32 on a CPU and bfloat16 on a GPU."""
    chosen = recipe.training.precision
    if chosen != "auto":
        return chosen
    return "float32" if device_kind == "cpu" else "bfloat16"


def resolve_autocast(recipe: Recipe, device_kind: str) -> bool:
    """Whether the forward pass is in mixed precision: the recipe's own word, else on a GPU for a 16-bit base."""
    chosen = recipe.training.autocast
    if isinstance(chosen, bool):
        return chosen
    return device_kind != "cpu" and resolve_precision(recipe, device_kind) != "float32"


def choose_numbers(recipe: Recipe, device: Device, loop: Loop = TRAINER) -> Numbers:
    """The numbers of a run of `recipe` on `device`; `loop.kbit` is taken to stand over a quantised base."""
    precision = resolve_precision(recipe, device.kind)
    autocast = resolve_autocast(recipe, device.kind)
    weight = 4 if loop.kbit else BYTES[precision]
    activation = 2 if autocast else weight
    inner = 4 if loop.kbit else activation
    like_base = recipe.method.name == "full" or loop.adapters == "base"
    trained = BYTES[precision] if like_base else 4  # PEFT holds adapters in float32 (autocast_adapter_dtype)
    return Numbers(precision, weight, activation, inner, trained, 2 if autocast else trained, autocast, device.kind)
