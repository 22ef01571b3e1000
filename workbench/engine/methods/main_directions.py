"""PiSSA and OLoRA: updates that start as the base's main directions, which are taken out of the base.

So their adapter fits only the changed base, and switching it off does not give the base back. What is saved is
therefore the difference to the start, as a plain LoRA adapter of twice the rank over the untouched base:
B·A − B₀·A₀ = [B, −B₀]·[A; A₀] (Meng et al. 2024, arXiv 2404.02948, section 4).
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file

WEIGHTS = "adapter_model.safetensors"


def remember_start(model: PeftModel) -> None:
    """Keep the matrices as they start, on the model itself."""
    state = get_peft_model_state_dict(model, save_embedding_layers=False)
    model.started_from = {name: value.detach().clone() for name, value in state.items()}


def starts_from_weights(model: Any) -> bool:
    """Whether the model's updates started from the base's weights."""
    return hasattr(model, "started_from")


def save_difference(model: Any, folder: Path) -> None:
    """Write the difference to the start as a plain LoRA adapter of twice the rank."""
    state = get_peft_model_state_dict(model, save_embedding_layers=False)
    doubled: dict[str, torch.Tensor] = {}
    for name, value in state.items():
        start = model.started_from[name].to(value.device)
        if "lora_A" in name:
            joined = torch.cat([value, start], dim=0)
        else:
            joined = torch.cat([value, -start], dim=1)
        doubled[name] = joined.detach().cpu().contiguous()
    config = copy.deepcopy(model.peft_config["default"])
    grow = 2**0.5 if config.use_rslora else 2
    config.r, config.lora_alpha = 2 * config.r, config.lora_alpha * grow
    config.rank_pattern = {name: 2 * rank for name, rank in config.rank_pattern.items()}
    config.alpha_pattern = {name: alpha * grow for name, alpha in config.alpha_pattern.items()}
    config.init_lora_weights, config.inference_mode = True, True
    config.base_model_name_or_path = model.get_base_model().name_or_path
    folder.mkdir(parents=True, exist_ok=True)
    save_file(doubled, folder / WEIGHTS, metadata={"format": "pt"})
    config.save_pretrained(str(folder))
