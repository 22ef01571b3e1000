"""Taking an adapter over: opened on its base, so that it is known to fit, and put into a run folder of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from peft import PeftConfig, PeftModel
from safetensors import safe_open

from workbench.core.errors import UserError
from workbench.core.files import read_json
from workbench.core.methods.bottleneck import bottleneck_size
from workbench.core.methods.fusion import source_name
from workbench.core.methods.roles import blocks
from workbench.core.models.skeleton import Skeleton
from workbench.core.places import Workspace
from workbench.core.recipe import ModelSection, Recipe, recipe_from_mapping, save_recipe
from workbench.core.runs.folder import RunFolder
from workbench.engine.adopt.adapterhub import is_adapterhub, take_over
from workbench.engine.base_models import find_model_folder, load_base
from workbench.engine.methods import count_trainable
from workbench.engine.methods.stored import open_adapter
from workbench.engine.methods.switching import leaves_base_whole
from workbench.engine.prepare import model_skeleton
from workbench.engine.train.numbers import choose_device, choose_numbers
from workbench.engine.train.outcome import find_versions, save_result, weight_bytes, write_facts

Progress = Callable[[str], None]


def adopt(folder: Path, model: str, run: RunFolder, workspace: Workspace, progress: Progress) -> dict[str, Any]:
    """Fill `run` with the adapter in `folder`, which fits the base `model`; the run's facts.

    UserError where it is none, is of a kind that cannot be opened, or does not fit.
    """
    section = ModelSection(path=model)
    place = find_model_folder(section, workspace, progress)
    skeleton = model_skeleton(section, workspace, progress)
    recipe = Recipe(model=section)
    numbers = choose_numbers(recipe, choose_device())
    progress("Loading the base model")
    base: Any = load_base(section, place, numbers.precision, numbers.device)
    total = sum(one.numel() for one in base.parameters())
    progress("Reading the adapter")
    opened = take_over(base, skeleton, folder) if is_adapterhub(folder) else _open_peft(base, folder)
    if not leaves_base_whole(opened):
        raise UserError(
            f"The adapter in {folder} changes the base's own weights, so base and tuned could not be told apart; "
            "merge it into a model of its own with PEFT, and open that."
        )
    result = save_result(opened, run, place)
    trained = count_trainable(opened) or stored_parameters(result)
    recipe = recipe_from_mapping({"model": {"path": model}, "method": method_of(opened, skeleton, run.adapter)})
    save_recipe(recipe, run.recipe)
    facts = {
        "run": run.name,
        "state": "finished",
        "model": model,
        "method": recipe.method.name,
        "imported": str(folder),
        "steps": 0,
        "seconds": 0.0,
        "trainable_parameters": trained,
        "total_parameters": total + trained,
        "share": trained / (total + trained),
        "memory": {"predicted": None, "measured": None},
        "adapter_bytes": weight_bytes(result),
        "device": numbers.device.type,
        "precision": numbers.precision,
        "versions": find_versions(recipe),
    }
    write_facts(run, facts)
    return facts


def _open_peft(base: Any, folder: Path) -> PeftModel:
    values = read_json(folder / "adapter_config.json")
    if not isinstance(values, dict) or not isinstance(values.get("peft_type"), str):
        raise UserError(
            f"There is no adapter in {folder}; name a folder with PEFT's or AdapterHub's adapter_config.json."
        )
    prompted = getattr(PeftConfig.from_pretrained(str(folder)), "is_prompt_learning", False)
    return open_adapter(base, folder, trainable=not prompted)  # PEFT goes on with no prompt that it has read


def stored_parameters(adapter: Path) -> int:
    """Numbers in an adapter's file."""
    with safe_open(adapter / "adapter_model.safetensors", "pt") as opened:
        return sum(opened.get_tensor(name).numel() for name in opened.keys())  # noqa: SIM118


def method_of(model: PeftModel, skeleton: Skeleton, adapter: Path) -> dict[str, Any]:
    """The method section of a recipe that trains such an adapter."""
    config: Any = model.peft_config["default"]
    kind = str(getattr(config.peft_type, "value", config.peft_type))
    if kind == "BITFIT":
        return {"name": "bitfit", "add_missing": config.add_missing}
    if kind != "BOTTLENECK":
        return {"name": "peft", "config": str(adapter)}
    if config.fuse:
        folders = [str(adapter / source_name(number + 1)) for number in range(len(config.fuse))]
        return {"name": "fusion", "adapters": folders}
    numbers = [number for number, name in blocks(skeleton) if any(_in(site, name) for site in config.target_modules)]
    method = {
        "name": config.placement,
        "reduction": _reduction(config.width, config.bottleneck_size),
        "non_linearity": config.non_linearity,
        "scale": config.scale,
        "dropout": config.dropout,
        "layers": "all" if len(numbers) == skeleton.layers else ",".join(map(str, numbers)),
    }
    return method if config.placement != "parallel" else {**method, "reads": "stream" if config.reads else "normed"}


def _in(site: str, block: str) -> bool:
    return f"{site}.".startswith(f"{block}.")


def _reduction(width: int, size: int) -> float:
    """A reduction factor that gives this bottleneck."""
    exact = width / size
    return exact if bottleneck_size(width, exact) == size else width / (size + 0.5)
