"""Which methods are tried, over which numbers, and the table that comes out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import peft
import torch
import transformers
from architectures import CONFIGS
from proof import build, fit, recipe_for, save

from workbench.core.methods.proved import PROVED_FILE, proved_markdown

PRECISIONS = {"full precision": "none", "4-bit": "nf4", "8-bit": "int8"}
"""How the base is stored, in words and as `method.quantisation` has it."""

METHODS: dict[str, dict[str, Any]] = {
    "full": {"name": "full"},
    "LoRA": {"name": "lora"},
    "rsLoRA": {"name": "lora", "rslora": True},
    "DoRA": {"name": "lora", "dora": True},
    "PiSSA": {"name": "lora", "start": "pissa"},
    "OLoRA": {"name": "lora", "start": "olora"},
    "orthogonal LoRA": {"name": "lora", "start": "orthogonal"},
    "LoRA+": {"name": "lora", "plus": 16.0},
    "LoRA with biases": {"name": "lora", "bias": True},
    "Houlsby": {"name": "houlsby"},
    "Pfeiffer": {"name": "pfeiffer"},
    "parallel adapter": {"name": "parallel"},
    "AdapterFusion": {"name": "fusion"},
    "LLaMA-Adapter": {"name": "llama-adapter"},
    "prompt tuning": {"name": "prompt"},
    "prefix tuning": {"name": "prefix"},
    "prefix with projection": {"name": "prefix", "projection": True},
    "P-tuning": {"name": "p-tuning"},
    "P-tuning, LSTM": {"name": "p-tuning", "encoder": "lstm", "encoder_size": 16},
    "IA3": {"name": "ia3"},
    "BitFit": {"name": "bitfit"},
    "BitFit, added biases": {"name": "bitfit", "add_missing": True},
    "LayerNorm": {"name": "layernorm"},
    "AdaLoRA": {"name": "adalora"},
    "VeRA": {"name": "vera"},
    "OFT": {"name": "oft"},
    "MiSS": {"name": "miss"},
    "trainable tokens": {"name": "tokens", "token_ids": [199, 143, 109]},
    "LoftQ": {"name": "lora", "loftq": True},
    "PEFT's FourierFT": {"name": "peft", "config": {"peft_type": "FOURIERFT", "n_frequency": 50}},
}


def over(method: dict[str, Any], quantisation: str) -> dict[str, Any]:
    """The method over a base that is stored so; LoRA's is QLoRA."""
    if quantisation == "none":
        return method
    name = "qlora" if method["name"] == "lora" else method["name"]
    return {**method, "name": name, "quantisation": quantisation}


def with_files(method: dict[str, Any], folder: Path, work: Path) -> dict[str, Any]:
    """The method with what it reads from disk: trained adapters to fuse, or PEFT's config."""
    if method["name"] == "fusion":
        return {**method, "adapters": two_adapters(folder)}
    if method["name"] == "peft":
        file = work / "adapter_config.json"
        work.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(method["config"]))
        return {**method, "config": str(file)}
    return method


def two_adapters(folder: Path) -> list[str]:
    """Two of Pfeiffer's adapters of that model, trained apart, made once."""
    places = [folder / "adapters" / str(seed) for seed in (0, 1)]
    for seed, place in enumerate(places):
        if not place.is_dir():
            recipe = recipe_for({"name": "pfeiffer"}, seed=seed)
            model = build(folder, recipe)
            fit(model, recipe)
            save(model, place)
    return [str(place) for place in places]


def table(cells: dict[str, dict[str, dict[str, Any]]]) -> dict[str, Any]:
    """The table as it is kept: versions, and each method's cells by architecture and precision."""
    versions = {module.__name__: module.__version__.partition("+")[0] for module in (torch, transformers, peft)}
    kinds = {name: "qlora" if name == "LoftQ" else method["name"] for name, method in METHODS.items()}
    rows = [{"title": name, "method": kinds[name], "cells": cells[name]} for name in METHODS if name in cells]
    return {"versions": versions, "architectures": list(CONFIGS), "precisions": list(PRECISIONS), "rows": rows}


def write(found: dict[str, Any]) -> None:
    """Keep the table where the program and its readers find it."""
    PROVED_FILE.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PROVED_FILE.with_suffix(".md").write_text(proved_markdown(found), encoding="utf-8")
