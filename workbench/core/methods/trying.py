"""What one of PEFT's kinds does on a model, found out by trying: how much it trains, and what it is able to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from workbench.core.methods.asking import ask_engine, is_answered, text_key
from workbench.core.methods.peft_kinds import peft_version
from workbench.core.models.skeleton import Skeleton

SORRY = "PEFT could not try this config on the model; see that the file is one of PEFT's."

ABILITIES = {
    "trains": "the loss falls",
    "comes back": "it is saved, and opened with the same logits",
    "switches off": "with the adapter off it is the base",
    "generates": "it generates with the cache as without",
    "merges": "it merges into the base with the same logits",
    "mixed batch": "rows of one batch may have it or not",
    "4-bit": "it trains over a 4-bit base",
    "8-bit": "it trains over an 8-bit base",
    "gradient checkpointing": "it trains with gradient checkpointing",
}
"""What is tried, and what it means where it works."""


def try_on(skeleton: Skeleton, values: Mapping[str, Any], module: str = "") -> dict[str, Any]:
    """What a config trains on a skeleton: `by_module` and `added`, or `refused` with a sentence.

    `untrained` says why what can be counted cannot be trained here.
    """
    return _counted(skeleton.model_type, json.dumps(skeleton.to_json()), json.dumps(values), module, _text(module))


@lru_cache(maxsize=64)
def _counted(model_type: str, skeleton: str, values: str, module: str, text: str) -> dict[str, Any]:
    asked = {"skeleton": json.loads(skeleton), "config": json.loads(values), "module": module}
    name = _count_name(model_type, skeleton, values, text)
    return ask_engine("workbench.engine.methods.trial", asked, name, SORRY)


def _count_name(model_type: str, skeleton: str, values: str, text: str) -> str:
    return f"{model_type}-{text_key('2', skeleton, values, text, peft_version())}"


def is_tried(skeleton: Skeleton, values: Mapping[str, Any], module: str, abilities: bool) -> bool:
    """Whether `try_on`, and with `abilities` also `abilities_on`, answer without the engine."""
    text, config = _text(module), json.dumps(values)
    counted = is_answered(_count_name(skeleton.model_type, json.dumps(skeleton.to_json()), config, text))
    return counted and (not abilities or is_answered(_ability_name(skeleton.model_type, config, text)))


def abilities_on(skeleton: Skeleton, values: Mapping[str, Any], module: str = "") -> dict[str, bool | str]:
    """What a config is able to on a tiny model of the skeleton's architecture: true, or a sentence that says why not.

    The keys are those of `ABILITIES`. Tried once for each architecture, and kept.
    """
    return _able(skeleton.model_type, json.dumps(values), module, _text(module))


@lru_cache(maxsize=64)
def _able(model_type: str, values: str, module: str, text: str) -> dict[str, bool | str]:
    asked = {"model_type": model_type, "config": json.loads(values), "module": module}
    name = _ability_name(model_type, values, text)
    return ask_engine("workbench.engine.methods.abilities", asked, name, SORRY)


def _ability_name(model_type: str, values: str, text: str) -> str:
    return f"able-{model_type}-{text_key(values, text, peft_version())}"


def _text(module: str) -> str:
    return Path(module).read_text("utf-8", "replace") if module else ""
