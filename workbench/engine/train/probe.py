"""What a model can do, tried on a few tokens: architectures differ, and those that cannot say nothing."""

from __future__ import annotations

import inspect
from typing import Any

import torch

from workbench.core.data.tokens.example import Example
from workbench.engine.answer import inner_model
from workbench.engine.train.batches import COUNTS, Collator

FIRST, SECOND = 6, 9
"""Lengths of the two made-up rows."""


def keeps_logits(model: Any) -> bool:
    """Whether the model gives the same loss when it computes logits only where there is one.

    That spares the output layer's work and memory for prompts: 2.3 times as fast with a vocabulary of 152,000.
    """
    taken = inspect.signature(type(inner_model(model)).forward).parameters
    if "logits_to_keep" not in taken or not any(one.kind is one.VAR_KEYWORD for one in taken.values()):
        return False
    rows = [(row,) for row in _made_up_rows(model)]
    try:
        everywhere = _loss(model, Collator(0)(rows))
        needed = _loss(model, Collator(0, keeps_logits=True)(rows))
    except Exception:  # an architecture that cannot fails in its own way
        return False
    return abs(everywhere - needed) <= _tolerance(model) * max(1.0, abs(everywhere))


def packs_cleanly(model: Any) -> bool:
    """Whether rows packed into one sequence are blind to each other: the same logits as side by side."""
    rows = _made_up_rows(model)
    try:
        packed = _logits(model, Collator(0, packed=True)([rows]))[0]
        alone = [_logits(model, Collator(0)([(row,)]))[0] for row in rows]
    except Exception:
        return False
    apart = torch.cat(alone)
    return float((apart - packed).abs().max()) <= _tolerance(model) * max(1.0, float(apart.abs().max()))


def _made_up_rows(model: Any) -> tuple[Example, Example]:
    """Two rows that differ, with a loss on the second's and the first's last half."""
    size = int(inner_model(model).config.get_text_config().vocab_size)
    first = tuple((7 * place + 3) % size for place in range(FIRST))
    second = tuple((11 * place + 5) % size for place in range(SECOND))
    return (
        Example(0, first, tuple(place >= FIRST // 2 for place in range(FIRST))),
        Example(1, second, tuple(place >= SECOND // 2 for place in range(SECOND))),
    )


@torch.no_grad()
def _forward(model: Any, batch: dict[str, Any]) -> Any:
    given = {key: value.to(model.device) for key, value in batch.items() if key != COUNTS}
    return model(**given, use_cache=False)


def _loss(model: Any, batch: dict[str, Any]) -> float:
    return float(_forward(model, batch).loss)


def _logits(model: Any, batch: dict[str, Any]) -> torch.Tensor:
    found: torch.Tensor = _forward(model, batch).logits.float()
    return found


def _tolerance(model: Any) -> float:
    """Relative difference that the precision of the weights explains."""
    return 1e-3 if model.dtype == torch.float32 else 2e-2
