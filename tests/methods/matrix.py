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

from workbench.core.methods.proved import PROVED_FILE, proved_markdown, read_proved

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


def kept(architecture: str, precision: str) -> dict[str, dict[str, Any]]:
    """The kept cells of every method there."""
    found = {row["title"]: row["cells"].get(architecture, {}).get(precision) for row in table()["rows"]}
    return {title: cell for title, cell in found.items() if cell is not None}


def keep(architecture: str, precision: str, cells: dict[str, dict[str, Any]]) -> None:
    """Put what has come out into the table, where the program and its readers find it."""
    found = table()
    kinds = {name: "qlora" if name == "LoftQ" else method["name"] for name, method in METHODS.items()}
    before = {row["title"]: row["cells"] for row in found["rows"]}
    found["versions"] = {one.__name__: one.__version__.partition("+")[0] for one in (torch, transformers, peft)}
    found["architectures"], found["precisions"] = list(CONFIGS), list(PRECISIONS)
    found["rows"] = [{"title": name, "method": kinds[name], "cells": before.get(name, {})} for name in METHODS]
    for row in found["rows"]:
        row["cells"].setdefault(architecture, {})[precision] = cells[row["title"]]
    PROVED_FILE.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PROVED_FILE.with_suffix(".md").write_text(proved_markdown(found), encoding="utf-8")


def table() -> dict[str, Any]:
    """The table as it is kept now."""
    read_proved.cache_clear()
    return read_proved()
