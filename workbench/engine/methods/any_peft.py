"""Any kind of adapter that PEFT has, from its own config file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from peft import PeftConfig, PeftType, get_peft_model
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from transformers import PreTrainedModel

from workbench.core.errors import UserError
from workbench.core.methods.peft import config_values
from workbench.core.models.skeleton import Skeleton
from workbench.core.recipe import Recipe
from workbench.engine import tuners
from workbench.engine.methods.adalora import freeze_ranks
from workbench.engine.methods.prompted import PREFIXES, as_prompted
from workbench.engine.methods.switching import keeps_base

INSTEAD = {
    PeftType.ADALORA: "AdaLoRA must be told of every step; choose the method adalora, which does.",
    PeftType.XLORA: "X-LoRA needs adapters that are trained already; train those first.",
}
"""Kinds that a config alone cannot train, and what to do."""

assert tuners.OWN  # importing them is what makes our own kinds known to PEFT


def peft_config_from(values: Mapping[str, Any]) -> PeftConfig:
    """PEFT's config from the values of an adapter_config.json, made ready to train.

    What stands under `settings` goes over them. UserError where PEFT has no such kind or setting or refuses a value, or
    where it cannot be trained here.
    """
    config = described(values)
    reason = reason_against_training(config)
    if reason is not None:
        raise UserError(reason)
    return config


def reason_against_training(config: PeftConfig) -> str | None:
    """Why a config cannot be trained here, though it can be counted and traced; None where it can."""
    if config.peft_type in INSTEAD:
        return INSTEAD[PeftType(config.peft_type)]
    if not keeps_base(config):
        return (
            "This config changes the base's own weights, so base and tuned could not be told apart; "
            "set its bias to none and its init_lora_weights to true, or choose the method lora."
        )
    return None


def described(values: Mapping[str, Any]) -> PeftConfig:
    """The same config, whether or not it can be trained here."""
    kind = str(values.get("peft_type"))
    if kind not in PEFT_TYPE_TO_CONFIG_MAPPING:
        close = get_close_matches(kind, [str(getattr(one, "value", one)) for one in PEFT_TYPE_TO_CONFIG_MAPPING], 1)
        hint = f"did you mean {close[0]}?" if close else "workbench methods peft lists those of this version."
        raise UserError(f"PEFT has no kind of adapter named {kind}; {hint}")
    if kind == PeftType.XLORA:
        raise UserError(INSTEAD[PeftType.XLORA])
    chosen = PEFT_TYPE_TO_CONFIG_MAPPING[kind]
    known = {field.name for field in dataclasses.fields(chosen)}
    settings = dict(values.get("settings") or {})
    unknown = sorted(set(settings) - known)
    if unknown:
        raise UserError(f"{kind} has no setting {unknown[0]}; workbench methods {kind} lists them.")
    fresh = {"peft_type", "inference_mode", "base_model_name_or_path", "revision", "auto_mapping", "peft_version"}
    given = {name: value for name, value in {**values, **settings}.items() if name in known - fresh}
    given["task_type"] = "CAUSAL_LM"
    if kind == PeftType.ADALORA:
        given["total_step"] = given.get("total_step") or 10**9  # the schedule of ranks takes no memory
    try:
        return chosen(**given)
    except (TypeError, ValueError, ImportError) as error:
        raise UserError(f"PEFT refuses this config: {first_line(error)}", str(error)) from error


def wrap(model: Any, config: PeftConfig) -> Any:
    """`model` with that adapter on it; UserError with PEFT's own reason where it does not fit."""
    try:
        built = as_prompted(get_peft_model(model, config))
        if config.peft_type == PeftType.ADALORA:
            built = freeze_ranks(built)
    except Exception as error:  # every kind has its own way to say no
        raise UserError(
            f"{_word(config)} does not fit this model: {first_line(error)}", f"{type(error).__name__}: {error}"
        ) from error
    if not any(parameter.requires_grad for parameter in built.parameters()):
        raise UserError(f"{_word(config)} finds nothing to train on this model; choose other target_modules.")
    return built


def build_peft(model: PreTrainedModel, recipe: Recipe, skeleton: Skeleton) -> Any:  # noqa: ARG001
    """The model with the adapter that `method.config` describes, and the base frozen."""
    knobs = recipe.method.knobs
    tuners.open_modules(knobs)
    return wrap(model, peft_config_from(config_values(knobs)))


def build_without_values(model: PreTrainedModel, recipe: Recipe) -> Any:
    """The same on a model that has shapes alone: started from no weights and no text, trained here or not."""
    knobs = recipe.method.knobs
    tuners.open_modules(knobs)
    return wrap(model, described(without_values(config_values(knobs))))


def without_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a config with starts that read no weights, text or data: what they make takes the same memory."""
    given = {**values, **dict(values.get("settings") or {}), "settings": {}}
    start = given.get("init_lora_weights")
    if isinstance(start, str) and start not in ("gaussian", "mica"):
        given["init_lora_weights"] = True
    for name in ("loftq_config", "eva_config", "corda_config", "lora_ga_config"):
        given.pop(name, None)
    if "prompt_tuning_init" in given:
        given["prompt_tuning_init"] = "RANDOM"
    return given


def virtual_tokens_of(recipe: Recipe) -> tuple[bool, bool]:
    """Whether the kind puts virtual tokens before the text, and whether they are keys and values of every layer."""
    tuners.open_modules(recipe.method.knobs)
    config = described(without_values(config_values(recipe.method.knobs)))
    return bool(config.is_prompt_learning), config.peft_type in PREFIXES


def _word(config: PeftConfig) -> str:
    kind = config.peft_type
    return str(kind.value if isinstance(kind, PeftType) else kind)


def first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    line = text[0][:200].rstrip(".") if text else type(error).__name__
    return f"{line}."
