"""Opening a run, or a base model, for conversation: its sides in memory, and what its prompts are made with."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.core.data.tokens.tokenizer import TextTokenizer, open_tokenizer
from workbench.core.places import Workspace
from workbench.core.recipe import ModelSection, Recipe
from workbench.engine.answer import inner_model, stop_ids
from workbench.engine.base_models import find_model_folder, load_base
from workbench.engine.generation.sides import Side
from workbench.engine.results import find_result, read_run
from workbench.engine.train.numbers import choose_device, choose_numbers

if TYPE_CHECKING:
    from workbench.engine.generation.shelf import Shelf

BASE, TUNED = "base", "tuned"

DEFAULT = "default"
"""PEFT's name of the adapter that is opened first."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Opened:
    """A run or a base model in memory."""

    sides: dict[str, Side]
    """base, and tuned where it is a run."""
    shares_base: bool
    """Whether both sides answer from one model in memory, the adapter switched off for the base."""
    tokenizer: TextTokenizer
    template: str
    """The recipe's `data.template`: what the run was trained with."""
    stop_ids: frozenset[int]
    max_positions: int
    """Most tokens of prompt and answer together; 0 where the model has no limit."""
    shelf: Shelf | None = None
    """The adapters of one base that are in memory, where its kind of adapter allows it."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held while the models answer: which side they answer as is a state of the models."""


def open_base(model: ModelSection, workspace: Workspace, progress: Progress) -> Opened:
    """A base model alone."""
    recipe = replace(Recipe(), model=model)
    folder = find_model_folder(model, workspace, progress)
    progress("Loading the base model")
    base = _load(recipe, folder, quantised=False)
    return _opened({BASE: Side(BASE, base)}, folder, recipe.data.template, shares_base=True)


def open_beside(path: str | Path, opened: Opened | None) -> Opened | None:
    """Another run on the base that `opened` has in memory, where its adapter fits beside those on it; else None."""
    shelf = opened.shelf if opened else None
    if opened is None or shelf is None:
        return None
    run, recipe = read_run(path)
    result = find_result(run)
    from workbench.engine.generation.shelf import base_key

    if not result.is_adapter or base_key(recipe) != shelf.base:
        return None
    name = shelf.put(result.folder)
    return None if name is None else replace(
        opened, sides=adapter_sides(shelf.model, name), template=recipe.data.template
    )  # fmt: skip


def open_run(path: str | Path, workspace: Workspace, progress: Progress) -> Opened:
    """A run's base and result. An adapter shares the base in memory; a fully trained model stands beside it."""
    run, recipe = read_run(path)
    result = find_result(run)
    shelf: Shelf | None = None
    folder = find_model_folder(recipe.model, workspace, progress)
    progress("Loading the base model")
    base = _load(recipe, folder, quantised=True)
    if result.is_adapter:
        from workbench.engine import tuners
        from workbench.engine.methods.stored import open_adapter

        tuners.open_modules(recipe.method.knobs)
        progress("Loading the adapter")
        from workbench.engine.generation.shelf import Shelf, base_key, written

        adapted = open_adapter(base, result.folder)
        sides = adapter_sides(adapted, None if adapted.active_peft_config.is_prompt_learning else DEFAULT)
        shelf = Shelf(adapted, base_key(recipe), {(str(result.folder), written(result.folder)): DEFAULT})
    else:
        progress("Loading the tuned model")
        local = ModelSection(str(result.folder), attention=recipe.model.attention)
        numbers = choose_numbers(recipe, choose_device())
        tuned = load_base(local, result.folder, numbers.precision, numbers.device)
        sides = {BASE: Side(BASE, base), TUNED: Side(TUNED, tuned)}
    return _opened(sides, folder, recipe.data.template, shares_base=result.is_adapter, shelf=shelf)


def _load(recipe: Recipe, folder: Path, quantised: bool) -> Any:
    """The recipe's base as a run has it in memory; `quantised` as QLoRA quantises it."""
    numbers = choose_numbers(recipe, choose_device())
    quantisation = None
    if quantised:
        from workbench.engine.methods import base_quantisation

        quantisation = base_quantisation(recipe.method, numbers.precision)
    return load_base(recipe.model, folder, numbers.precision, numbers.device, quantisation)


def adapter_sides(adapted: Any, name: str | None = None) -> dict[str, Side]:
    """Base and tuned from one PEFT model, by switching its adapter off and on; `name` says which of some."""
    from workbench.engine.methods.switching import switch_off, switch_on, switch_to

    return {
        BASE: Side(BASE, adapted, lambda: switch_off(adapted)),
        TUNED: Side(TUNED, adapted, (lambda: switch_to(adapted, name)) if name else (lambda: switch_on(adapted))),
    }


def _opened(
    sides: dict[str, Side], folder: Path, template: str, shares_base: bool, shelf: Shelf | None = None
) -> Opened:
    tokenizer = open_tokenizer(folder)
    model = sides[BASE].model
    positions = getattr(inner_model(model).config.get_text_config(), "max_position_embeddings", None)
    return Opened(
        sides=sides,
        shares_base=shares_base,
        tokenizer=tokenizer,
        template=template,
        shelf=shelf,
        stop_ids=stop_ids(model, tokenizer.eos_id),
        max_positions=positions if isinstance(positions, int) and positions > 0 else 0,
    )
