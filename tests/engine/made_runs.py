"""Run folders with a result, made without the trainer: a PEFT adapter, or a changed copy of the model."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch

from workbench.core.places import Workspace, tiny_folder
from workbench.core.recipe import recipe_from_mapping, save_recipe

torch.set_num_threads(1)  # two threads on a busy machine wait for each other


def names_in(folder: Path) -> list[str]:
    """Names of what lies in a folder, in order."""
    return sorted(path.name for path in folder.iterdir())


def make_run(workspace: Workspace, name: str, method: str = "lora", **model: Any) -> Path:
    """A run folder with a recipe and no result."""
    folder = workspace.runs / name
    folder.mkdir(parents=True)
    recipe = recipe_from_mapping({"model": {"path": "tiny", **model}, "method": {"name": method}})
    save_recipe(recipe, folder / "recipe.yaml")
    return folder


def load_tiny(folder: Path | None = None) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder or tiny_folder(), dtype=torch.float32).eval()


def save_adapter(into: Path, base: Any | None = None, strength: float = 1.0, **settings: Any) -> Path:
    """A LoRA adapter over the base whose B is random, so that it changes what the model says; saved by plain PEFT."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(7)
    config = LoraConfig(
        **{"r": 4, "lora_alpha": 8, "target_modules": "all-linear", "task_type": "CAUSAL_LM", **settings}
    )
    model = get_peft_model(base if base is not None else load_tiny(), config)
    with torch.no_grad():
        for key, weight in model.named_parameters():
            if "lora_B" in key or "lora_embedding_A" in key:
                weight.normal_(std=1.0 * strength)
    model.save_pretrained(into, save_embedding_layers=False)
    return into


def make_lora_run(workspace: Workspace, name: str = "adapted", **settings: Any) -> Path:
    """A run with an adapter as its result."""
    folder = make_run(workspace, name)
    save_adapter(folder / "adapter", **settings)
    return folder


def make_full_run(workspace: Workspace, name: str = "whole") -> Path:
    """A run with a whole model as its result: the base with one layer turned round."""
    folder = make_run(workspace, name, "full")
    model = load_tiny()
    with torch.no_grad():
        model.model.layers[0].mlp.down_proj.weight.mul_(-1.0)
    model.save_pretrained(folder / "model")
    for file in (*tiny_folder().glob("tokenizer*"), tiny_folder() / "chat_template.jinja"):
        shutil.copyfile(file, folder / "model" / file.name)
    return folder
