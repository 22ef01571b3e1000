"""AdaLoRA on a real model, by PEFT, with its ranks really reallocated after every step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from peft import AdaLoraConfig, AdaLoraModel, get_peft_model
from transformers import PreTrainedModel, TrainerCallback

from workbench.core.errors import UserError
from workbench.core.methods.targets import chosen_targets
from workbench.core.models.skeleton import CONV1D, Skeleton
from workbench.core.recipe import Recipe
from workbench.engine.methods.lora import names_for

SHORTEST = 3
"""Steps below which there is no phase in which ranks fall."""

MOVING = ("exp_avg_ipt", "exp_avg_unc")
"""The rank allocator's moving means, which a resumption needs."""


def build_adalora(model: PreTrainedModel, recipe: Recipe, skeleton: Skeleton) -> Any:
    """The model with directions and strengths beside each target, and the base frozen."""
    knobs = recipe.method.knobs
    targets = chosen_targets(skeleton, knobs["targets"], knobs["layers"])
    config = AdaLoraConfig(
        init_r=knobs["start_rank"],
        target_r=knobs["rank"],
        lora_alpha=knobs["alpha"],
        lora_dropout=knobs["dropout"],
        orth_reg_weight=knobs["orthogonality"],
        target_modules=names_for(model, targets),
        fan_in_fan_out=any(module.kind == CONV1D for module in targets),
        total_step=10**9,  # the trainer knows the steps; see `RankSchedule`
        task_type="CAUSAL_LM",
    )
    built = get_peft_model(model, config)
    built.base_model.__class__ = PlainLossAdaLora
    return freeze_ranks(built)


def freeze_ranks(built: Any) -> Any:
    """`built` with the counts of its ranks frozen: PEFT trains them where it casts them to float32.

    They divide every product: trained, they change the adapter's scale, and every product is kept for their gradient.
    """
    for name, parameter in built.named_parameters():
        if ".ranknum." in name:
            parameter.requires_grad_(False)
    return built


class PlainLossAdaLora(AdaLoraModel):
    """PEFT's AdaLoRA, whose forward pass gives the loss of the text alone; PEFT's adds the penalty to what it shows."""

    def forward(self, *given: Any, **named: Any) -> Any:
        return self.model.forward(*given, **named)


def orthogonality(model: Any) -> torch.Tensor | None:
    """The weighted penalty on directions that are not apart (section 3.1, equation 4); None for any other method.

    The mean over all P and Q of ‖PᵀP − 1‖ and ‖QQᵀ − 1‖, as PEFT has it.
    """
    if not isinstance(getattr(model, "base_model", None), PlainLossAdaLora):
        return None
    name = model.base_model.trainable_adapter_name
    weight: float = model.peft_config[name].orth_reg_weight
    if not weight:
        return None
    apart = []
    for key, one in model.base_model.named_parameters():
        if one.requires_grad and ("lora_A" in key or "lora_B" in key) and name in key:
            product = one @ one.T if "lora_A" in key else one.T @ one
            apart.append(torch.linalg.norm(product - torch.eye(*product.shape, device=product.device)))
    return weight * torch.stack(apart).mean() if apart else None


class RankSchedule(TrainerCallback):
    """Tells AdaLoRA how many steps there are, and lets it reallocate after each: Trainer does neither."""

    def __init__(self, model: Any, knobs: Mapping[str, Any]) -> None:
        self.model = model
        self.knobs = knobs

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """UserError where the run is too short for ranks to fall."""
        steps = int(state.max_steps)
        begin, settle = int(self.knobs["begin"] * steps), int(self.knobs["settle"] * steps)
        if steps < SHORTEST or begin >= steps - settle:
            raise UserError(f"AdaLoRA needs more steps than {steps} to take ranks away; raise training.steps.")
        config = self.model.peft_config["default"]
        config.tinit, config.tfinal, config.total_step = begin, settle, steps

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Called between the step and the clearing of the gradients, while `global_step` is still the one before."""
        self.model.base_model.update_and_allocate(state.global_step + 1)


def allocator_state(model: Any) -> dict[str, torch.Tensor]:
    """The rank allocator's moving means, by kind and parameter, and the ranks that are switched off."""
    allocator = model.base_model.rankallocator
    found = {f"{kind}:{name}": value for kind in MOVING for name, value in getattr(allocator, kind).items()}
    pattern = model.peft_config["default"].rank_pattern or {}
    return found | {f"pattern:{name}": torch.tensor(kept) for name, kept in pattern.items()}


def restore_allocator(model: Any, stored: Mapping[str, torch.Tensor]) -> None:
    """Put back what `allocator_state` gave."""
    allocator = model.base_model.rankallocator
    allocator.reset_ipt()
    pattern: dict[str, list[bool]] = {}
    for key, value in stored.items():
        kind, _, name = key.partition(":")
        if kind == "pattern":
            pattern[name] = value.tolist()
        else:
            getattr(allocator, kind)[name] = value.to(model.device)
            allocator.ipt[name] = torch.zeros_like(getattr(allocator, kind)[name])
    model.peft_config["default"].rank_pattern = pattern or None
