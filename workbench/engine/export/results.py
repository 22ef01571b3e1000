"""Exporting a run's result."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import torch

from workbench.core.data.templates.prompt import prompt_ids
from workbench.core.data.templates.render import choose_template
from workbench.core.data.tokens.tokenizer import TextTokenizer, open_tokenizer
from workbench.core.errors import RunFailedError, UserError
from workbench.core.files import read_json
from workbench.core.places import Workspace
from workbench.core.recipe import ModelSection, Recipe
from workbench.core.runs.folder import RunFolder
from workbench.core.words import size_text
from workbench.engine import tuners
from workbench.engine.base_models import DTYPES, find_model_folder, load_base
from workbench.engine.export.card import merged_card
from workbench.engine.export.merging import logits_of, merge_adapter
from workbench.engine.export.target import check_export, check_room, filled, folder_bytes
from workbench.engine.results import Result
from workbench.engine.train.numbers import choose_device, choose_numbers
from workbench.engine.train.outcome import TOKENIZER_FILES

# By name and at any depth: a fusion's adapters stand in folders of their own; a checkpoint's training state stays.
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors", "README.md")
MODEL_FILES = (
    "config.json",
    "generation_config.json",
    "model*.safetensors",
    "model.safetensors.index.json",
    "README.md",
)

SAMPLE = [{"role": "user", "content": "What is the capital of France?"}]
"""The conversation on which a merged model is compared with base and adapter."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class _Task:
    """One export."""

    run: RunFolder
    recipe: Recipe
    result: Result
    model_folder: Path
    target: Path


def export_run(
    run: RunFolder, recipe: Recipe, workspace: Workspace, to: str | Path, merge: bool, progress: Progress
) -> dict[str, Any]:
    """Write the run's result to the folder `to`: its adapter or model as it is, or with `merge` one merged model.

    A merged model is stored in the numbers that the run held its base in. Returns `{"path", "bytes", "kind", "step"}`,
    and of a merge `precision`, `merge_difference` (largest difference of a logit on a sample prompt, in float32) and
    `logit_difference` (the same for the files as stored). UserError where the result cannot be exported so, or there
    is no room for it; nothing is left behind then.
    """
    target, result = check_export(run, recipe, to, merge)
    task = _Task(run, recipe, result, find_model_folder(recipe.model, workspace, progress), target)
    found = _merge(task, progress) if merge else _copy(task)
    kind = "adapter" if result.is_adapter and not merge else "model"
    return {"path": str(target), "bytes": folder_bytes(target), "kind": kind, "step": result.step, **found}


def _copy(task: _Task) -> dict[str, Any]:
    patterns = ADAPTER_FILES if task.result.is_adapter else MODEL_FILES
    source = task.result.folder
    files = [file for pattern in patterns for file in sorted(source.rglob(pattern))]
    check_room(task.target, sum(file.stat().st_size for file in files))
    with filled(task.target) as aside:
        for file in files:
            copy = aside / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        if not task.result.is_adapter:
            # Beside an adapter a tokenizer would make PEFT resize the base's embeddings to it.
            _write_tokenizer(task, open_tokenizer(task.model_folder), aside)
    return {}


def _merge(task: _Task, progress: Progress) -> dict[str, Any]:
    tokenizer = open_tokenizer(task.model_folder)
    prompt = prompt_ids(tokenizer, task.recipe.data.template, SAMPLE)
    facts = read_json(task.run.path / "facts.json")
    facts = facts if isinstance(facts, dict) else {}
    precision = facts.get("precision")
    if precision not in DTYPES:
        precision = choose_numbers(task.recipe, choose_device()).precision
    progress("Loading the base model")
    tuners.open_modules(task.recipe.method.knobs)
    base: Any = _load(task.recipe.model, task.model_folder)
    size = sum(weight.numel() for weight in base.parameters())
    check_room(task.target, size * DTYPES[precision].itemsize)
    progress("Merging")
    merged, wanted, difference = merge_adapter(base, task.result.folder, prompt)
    with filled(task.target) as aside:
        progress("Writing the model")
        merged.to(DTYPES[precision]).save_pretrained(aside)
        _write_tokenizer(task, tokenizer, aside)
        del base, merged
        progress("Checking what was written")
        stored = logits_of(_load(ModelSection(str(aside)), aside), prompt)
        stored_difference = float((stored - wanted).abs().max())
        if not bool(torch.isfinite(stored).all()):
            raise RunFailedError("The merged model gives no numbers once it is stored; export the adapter instead.")
        card = merged_card(task.run.name, task.recipe, facts, precision, stored_difference)
        (aside / "README.md").write_text(card, encoding="utf-8")
    return {"precision": precision, "merge_difference": difference, "logit_difference": stored_difference}


def _load(model: ModelSection, folder: Path) -> Any:
    """A model in float32 and without quantisation, on the CPU; UserError where memory is short."""
    weights = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    free = psutil.virtual_memory().available
    if weights > free:
        raise UserError(
            f"Merging needs at least {size_text(weights)} of memory, and {size_text(free)} are free; "
            "end other programs, or export the adapter without --merge."
        )
    return load_base(model, folder, "float32", torch.device("cpu"))


def _write_tokenizer(task: _Task, tokenizer: TextTokenizer, into: Path) -> None:
    """The base's tokenizer, with the chat template that the run was trained with."""
    for name in TOKENIZER_FILES:
        if (task.model_folder / name).is_file():
            shutil.copyfile(task.model_folder / name, into / name)
    template = choose_template(tokenizer, task.recipe.data.template)
    if template.name != "own":
        # `ChatTemplate.render` puts the start token before these; Transformers does not.
        bare = replace(template, name="own").render(SAMPLE, add_generation_prompt=True)
        needs_start = tokenizer.adds_bos and not bare.startswith(tokenizer.special["bos_token"])
        start = "{{ bos_token }}" if needs_start else ""
        (into / "chat_template.jinja").write_text(start + template.source, encoding="utf-8")
