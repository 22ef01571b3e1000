"""LoRA on a real model, by PEFT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from peft import LoraConfig, get_peft_model
from transformers import PreTrainedModel

from workbench.core.methods.lora import FROM_WEIGHTS
from workbench.core.methods.targets import chosen_targets
from workbench.core.models.skeleton import CONV1D, Module, Skeleton
from workbench.core.recipe import Recipe
from workbench.engine.methods.main_directions import remember_start

STARTS: dict[str, bool | str] = {
    "zero": True, "gaussian": "gaussian", "orthogonal": "orthogonal", "pissa": "pissa", "olora": "olora",
}  # fmt: skip
"""PEFT's words for how the matrices start."""


def names_for(model: Any, chosen: Sequence[Module]) -> list[str]:
    """What PEFT is to wrap: leaf names where they name exactly these modules on this model, else full names.

    PEFT wraps every module whose name ends in a target, so a leaf name such as `c_proj` can reach too far.
    """
    names = [module.name for module in chosen]
    leaves = list(dict.fromkeys(name.rpartition(".")[2] for name in names))
    reached = {name for name, _ in model.named_modules() if name.rpartition(".")[2] in leaves}
    return leaves if reached == set(names) else names


def lora_config(model: Any, knobs: Mapping[str, Any], skeleton: Skeleton) -> LoraConfig:
    """PEFT's config for these knobs on this model."""
    chosen = chosen_targets(skeleton, knobs["targets"], knobs["layers"])
    ranks = dict(knobs["ranks"])
    grow = 0.5 if knobs["rslora"] else 1.0
    return LoraConfig(
        r=knobs["rank"],
        lora_alpha=knobs["alpha"],
        rank_pattern=ranks,
        alpha_pattern={name: knobs["alpha"] * (rank / knobs["rank"]) ** grow for name, rank in ranks.items()},
        lora_dropout=knobs["dropout"],
        target_modules=names_for(model, chosen),
        use_rslora=knobs["rslora"],
        use_dora=knobs["dora"],
        lora_bias=knobs["bias"],
        init_lora_weights=STARTS[knobs["start"]],
        fan_in_fan_out=any(module.kind == CONV1D for module in chosen),
        bias="none",
        task_type="CAUSAL_LM",
    )


def build_lora(model: PreTrainedModel, recipe: Recipe, skeleton: Skeleton) -> Any:
    """The model with LoRA's matrices beside each target, and the base frozen."""
    knobs = recipe.method.knobs
    built = get_peft_model(model, lora_config(model, knobs, skeleton))
    if knobs["start"] in FROM_WEIGHTS:
        remember_start(built)
    return built
