"""What of a training loop memory depends on, beside the recipe: this trainer's own ways, and those of others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from workbench.core.errors import UserError

ADAPTERS = ("float32", "base")


@dataclass(frozen=True, slots=True)
class Loop:
    """A training loop. The defaults are this trainer's; others are for estimates of what another trainer takes."""

    masked: bool | None = None
    """Whether rows of one batch differ in length; None takes them to where there are several."""
    keeps_outputs: bool = False
    """Whether the loop holds on to the model's outputs, logits included, until the next ones are there."""
    caches: bool = False
    """Whether the model makes a cache of keys and values as it does unless told otherwise; it goes with the outputs."""
    every_logit: bool = False
    """Whether logits are computed for every token, trained or not."""
    emptied: bool = False
    """Whether the longest batch is the first after the allocator's cache was emptied, and follows short ones.

    So it does where batches are sorted and the cache is emptied every few steps. The gradients of the step before are
    let go after the emptying.
    """
    for_each: bool = False
    """Whether AdamW goes over all parameters at once with temporaries (torch's default), not in one fused kernel."""
    clips: bool = True
    """Whether gradients are clipped where the recipe has a norm for them."""
    adapters: str = "float32"
    """Numbers that adapters are held in: float32 (PEFT's default), or the base's (autocast_adapter_dtype off)."""
    kbit: bool = False
    """Whether what is not quantised is held in float32 over a quantised base (prepare_model_for_kbit_training)."""
    chunk: int = 0
    """Tokens whose logits are there at a time in a fused loss, as Liger and Unsloth have; 0 computes all at once."""

    def __post_init__(self) -> None:
        if self.adapters not in ADAPTERS:
            raise UserError(f"loop.adapters cannot be {self.adapters!r}; it takes {' or '.join(ADAPTERS)}.")
        if isinstance(self.chunk, bool) or not isinstance(self.chunk, int) or self.chunk < 0:
            raise UserError(f"loop.chunk cannot be {self.chunk!r}; it takes a number of tokens, or 0 for all.")
        for name in ("keeps_outputs", "caches", "every_logit", "emptied", "for_each", "clips", "kbit"):
            if not isinstance(getattr(self, name), bool):
                raise UserError(f"loop.{name} cannot be {getattr(self, name)!r}; it takes true or false.")
        if not (self.masked is None or isinstance(self.masked, bool)):
            raise UserError(f"loop.masked cannot be {self.masked!r}; it takes true, false or null.")


TRAINER = Loop()
"""This trainer's own loop."""


def parse_loop(items: Iterable[str]) -> Loop:
    """`["for_each=true", "chunk=1024"]` as a loop. UserError where one is no such pair."""
    from workbench.core.recipe import parse_settings

    values = parse_settings(item if "=" not in item else f"loop.{item}" for item in items)
    return loop_from_mapping({key.removeprefix("loop."): value for key, value in values.items()})


def loop_from_mapping(values: Mapping[str, Any]) -> Loop:
    """The loop with these values over the trainer's own. UserError for a key or a value that it does not have."""
    known = [field.name for field in fields(Loop)]
    for key in values:
        if key not in known:
            raise UserError(f"There is no {key!r} in a training loop; it has {', '.join(known)}.")
    return Loop(**values)
