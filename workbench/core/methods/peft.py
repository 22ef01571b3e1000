"""Everything else that PEFT has: a method given by PEFT's own config file."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from workbench.core.errors import UserError
from workbench.core.files import read_json, write_json_atomically
from workbench.core.knobs import knob
from workbench.core.methods.method import Count, Method
from workbench.core.methods.shared_knobs import double_quantisation_knob, quantisation_knob
from workbench.core.models.skeleton import Skeleton
from workbench.core.places import find_workspace

PATIENCE = 300.0
"""Seconds that a trial may take: some kinds factorise every matrix of a model."""


@dataclass(frozen=True, slots=True)
class PeftKnobs:
    """Knobs of a method that PEFT's config describes."""

    config: str = knob("", "PEFT's adapter_config.json, or a folder with one: any kind that PEFT has.")
    quantisation: str = quantisation_knob()
    double_quantisation: bool = double_quantisation_knob()


def config_file(path: str) -> Path:
    """The config's file; UserError where there is none, or it names no kind of adapter."""
    start = Path(path).expanduser()
    file = start / "adapter_config.json" if start.is_dir() else start
    values = read_json(file) if path else None
    if not isinstance(values, dict) or not isinstance(values.get("peft_type"), str):
        raise UserError(
            f"method.config cannot be {path!r}; it takes PEFT's adapter_config.json, which names its peft_type."
        )
    return file.absolute()


def count_by_trial(skeleton: Skeleton, knobs: PeftKnobs) -> Count:
    """What the config trains on this model, counted on the model built without weights; kept for the next time.

    UserError with PEFT's own reason where it does not fit.
    """
    found = _tried(skeleton.model_type, json.dumps(skeleton.to_json()), config_file(knobs.config).read_text("utf-8"))
    if "refused" in found:
        raise UserError(str(found["refused"]))
    return Count(tuple((name, int(size)) for name, size in found["by_module"]), added=bool(found["added"]))


@lru_cache(maxsize=32)
def _tried(model_type: str, skeleton: str, config: str) -> dict[str, Any]:
    key = hashlib.sha256(f"{skeleton}\n{config}".encode()).hexdigest()[:24]
    cache = find_workspace().cache / "peft" / f"{model_type}-{key}.json"
    stored = read_json(cache)
    if isinstance(stored, dict):
        return stored
    found = ask_trial({"skeleton": json.loads(skeleton), "config": json.loads(config)})
    cache.parent.mkdir(parents=True, exist_ok=True)
    write_json_atomically(cache, found)
    return dict(found)


def ask_trial(asked: dict[str, Any]) -> dict[str, Any]:
    """The answer of `workbench.engine.methods.trial`, in a process of its own; UserError where it gives none."""
    try:
        answer = subprocess.run(
            [sys.executable, "-m", "workbench.engine.methods.trial"],
            input=json.dumps(asked), capture_output=True, text=True, timeout=PATIENCE, check=True,
        )  # fmt: skip
        return dict(json.loads(answer.stdout.strip().splitlines()[-1]))
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        raise UserError("PEFT could not try this config on the model; see that the file is one of PEFT's.") from None


def _refuse(skeleton: Skeleton, knobs: PeftKnobs) -> str | None:
    try:
        count_by_trial(skeleton, knobs)
    except UserError as error:
        return error.sentence
    return None


PEFT = Method(
    name="peft",
    title="Any of PEFT's",
    what=(
        "Any kind of adapter that PEFT has, described by PEFT's own adapter_config.json. "
        "What it trains and counts is found out by building it on this model without weights. "
        "It is as good as that kind's own code: try it on a few rows first."
    ),
    equation="as the config's kind has it",
    paper="Mangrulkar et al., PEFT, 2022, github.com/huggingface/peft",
    knobs=PeftKnobs,
    learning_rate=1e-3,
    trains="what the config's kind trains",
    merges=True,
    shares_base=True,
    counting=count_by_trial,
    refusing=_refuse,
)
