"""LoftQ: updates that start as what quantisation has taken away (Li et al. 2023, arXiv 2310.08659, section 3).

One iteration of its algorithm: the base stays as it was quantised, and B·A is the best approximation of the error of
each matrix, W − dequantise(W₄). PEFT's own code for it needs a GPU.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from transformers.pytorch_utils import Conv1D

from workbench.core.errors import UserError

ADAPTER = "default"


@torch.no_grad()
def start_from_error(model: Any, folder: Path) -> None:
    """Set the LoRA matrices over a 4-bit base from its quantisation error; `folder` holds the whole weights.

    UserError where they cannot be read.
    """
    import bitsandbytes
    from peft.tuners.lora import LoraLayer

    places = _places(folder)
    for name, layer in model.get_base_model().named_modules():
        if not isinstance(layer, LoraLayer) or ADAPTER not in layer.lora_A:
            continue
        quantised = layer.get_base_layer().weight
        key = f"{name}.weight"
        if key not in places:
            raise UserError(
                "LoftQ does not find this base's whole weights under their names; set method.loftq to false."
            )
        with safe_open(places[key], "pt") as opened:
            whole = opened.get_tensor(key).to(quantised.device, torch.float32)
        if getattr(layer.get_base_layer(), "source_cls", None) is Conv1D:  # stored transposed, and quantised as linear
            whole = whole.T
        held = bitsandbytes.functional.dequantize_4bit(quantised.data, quantised.quant_state).float()
        left, strength, right = torch.linalg.svd(whole - held, full_matrices=False)
        rank = layer.r[ADAPTER]
        root = strength[:rank].sqrt()
        layer.lora_A[ADAPTER].weight.copy_(root[:, None] * right[:rank])
        layer.lora_B[ADAPTER].weight.copy_(left[:, :rank] * root / layer.scaling[ADAPTER])


def _places(folder: Path) -> dict[str, Path]:
    """Which file holds each tensor."""
    found: dict[str, Path] = {}
    try:
        for file in sorted(folder.glob("*.safetensors")):
            with safe_open(file, "pt") as opened:
                found.update(dict.fromkeys(opened.keys(), file))
    except (OSError, SafetensorError) as error:
        raise UserError(
            "LoftQ cannot read this base's whole weights; set method.loftq to false.", str(error)
        ) from error
    return found
