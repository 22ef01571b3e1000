"""Base and tuned from one model: the adapter switched off and on, whatever its kind."""

from __future__ import annotations

from typing import Any

from peft import LoraConfig

from workbench.engine.methods.prompted import PromptedCausalLM

STARTS_AT_BASE = (True, False, "gaussian", "orthogonal", "mica", "eva")
"""PEFT's `init_lora_weights` that leave the base as it is; the others take something out of it."""


def switch_off(model: Any) -> None:
    """Let `model` answer as its base, from the next forward pass on."""
    if isinstance(model, PromptedCausalLM):
        model.switched_on = False
    elif getattr(model.base_model, "_enabled", True):
        model.base_model.disable_adapter_layers()


def switch_on(model: Any) -> None:
    """Let `model` answer with its adapter again."""
    if isinstance(model, PromptedCausalLM):
        model.switched_on = True
    elif not getattr(model.base_model, "_enabled", False):  # LLaMA-Adapter has it, and cannot be switched on twice
        model.base_model.enable_adapter_layers()


def switch_to(model: Any, name: str) -> None:
    """Let `model` answer with the adapter of that name, of several of one kind on its base."""
    switch_on(model)
    if model.active_adapter != name:
        model.set_adapter(name)
        for parameter in model.parameters():
            parameter.requires_grad_(False)  # PEFT takes a switch for the beginning of training


def leaves_base_whole(model: Any) -> bool:
    """Whether switching the adapter off gives the base back: some kinds change the base's own weights."""
    return all(keeps_base(config) for config in model.peft_config.values())


def keeps_base(config: Any) -> bool:
    """The same of a kind's config."""
    if not isinstance(config, LoraConfig):
        return True
    kasa = getattr(config, "kasa_config", None) is not None  # it takes the smallest directions out of the base
    return config.bias == "none" and not kasa and config.init_lora_weights in STARTS_AT_BASE
