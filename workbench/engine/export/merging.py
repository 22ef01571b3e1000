"""Merging an adapter into its base: in float32, onto the original weights, checked against the adapter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from workbench.core.errors import RunFailedError
from workbench.engine.answer import inner_model
from workbench.engine.methods.merging import fold_adapter
from workbench.engine.methods.stored import open_adapter

TOLERANCE = 1e-3
"""Largest difference of a logit, relative to the largest logit, that float32's rounding explains."""


def merge_adapter(base: Any, adapter: Path, prompt: list[int]) -> tuple[Any, torch.Tensor, float]:
    """`base` (float32, not quantised) with the adapter folded into its weights.

    Also the logits that base and adapter gave for `prompt`, shape [tokens, vocabulary], and the largest difference of
    the merged model's from them. UserError where the adapter does not fit or cannot be merged; RunFailedError where
    the logits differ by more than rounding explains.
    """
    adapted = open_adapter(base, adapter)
    wanted = logits_of(adapted, prompt)
    merged = fold_adapter(adapted)
    difference = float((logits_of(merged, prompt) - wanted).abs().max())
    if not difference <= TOLERANCE * max(1.0, float(wanted.abs().max())):
        raise RunFailedError(
            f"The merged model does not answer as base and adapter do (a logit differs by {difference:.3g}); "
            "export the adapter without merging."
        )
    return merged, wanted, difference


@torch.no_grad()
def logits_of(model: Any, prompt: list[int]) -> torch.Tensor:
    """Logits at every position of a prompt, shape [tokens, vocabulary], float32."""
    device = inner_model(model).device
    logits: torch.Tensor = model(input_ids=torch.tensor([prompt], device=device)).logits[0]
    return logits.float()
