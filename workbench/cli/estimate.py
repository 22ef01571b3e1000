"""workbench estimate: parameters and memory of a recipe, part by part, and whether it fits."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

from workbench.cli.models import find_skeleton
from workbench.cli.page import Page, find_page, say, say_json
from workbench.cli.recipes import change, find_recipe
from workbench.core.memory.advice import Advice, advise
from workbench.core.memory.device import find_device
from workbench.core.memory.estimate import Estimate, estimate_memory
from workbench.core.memory.row_shape import RowShape, row_shape
from workbench.core.models.locate import locate_model
from workbench.core.models.ready import ready_folder
from workbench.core.places import Workspace, find_workspace
from workbench.core.recipe import Recipe, change_recipe, load_recipe, parse_settings
from workbench.core.words import count_text, share_text, size_text, visible_text

VERDICTS = {
    "fits": "It fits.",
    "tight": "It is tight: it fits if nothing else takes memory meanwhile.",
    "does not fit": "It does not fit.",
}


def run(given: argparse.Namespace) -> int:
    """Print the estimate."""
    recipe = load_recipe(find_recipe(given.recipe)) if given.recipe else Recipe()
    named = {"model.path": given.model, "method.name": given.method, "data.source": given.data}
    settings = {key: value for key, value in named.items() if value is not None}
    recipe = change(recipe, {**settings, **parse_settings(given.settings)})
    workspace, device = find_workspace(given.workspace), find_device()
    skeleton = find_skeleton(recipe.model, workspace)
    rows = _longest_row(recipe, workspace) if given.recipe or given.data else None
    estimate = estimate_memory(recipe, skeleton, device, rows)
    advice = advise(recipe, skeleton, device, rows)
    if given.json:
        longest = {"tokens": rows.tokens, "trained": rows.trained} if rows else None
        say_json({**estimate.to_json(), "longest_row": longest, "advice": [item.to_json() for item in advice]})
        return 0
    page = find_page()
    for line in _lines(recipe, rows, estimate, advice, page):
        say(line)
    return 0


def _longest_row(recipe: Recipe, workspace: Workspace) -> RowShape | None:
    """The longest row of the data that was named; None where it or the model's tokenizer is not at hand yet."""
    place = locate_model(recipe.model.path, needs_weights=False)
    folder = place.path if place.kind == "folder" else ready_folder(recipe.model, workspace)
    if folder is None or not (folder / "tokenizer.json").is_file():
        return None
    from workbench.core.data.dataset import prepare_data  # templates and tokenizers take 0.1 s to import
    from workbench.core.data.hub import unfetched

    if unfetched(recipe.data, workspace):
        return None
    return row_shape(prepare_data(recipe, folder, workspace=workspace).report)


def _lines(
    recipe: Recipe, longest: RowShape | None, estimate: Estimate, advice: tuple[Advice, ...], page: Page
) -> Iterator[str]:
    knobs = ", ".join(f"{name} {_plain(value)}" for name, value in recipe.method.knobs.items())
    title = recipe.method.facts.title + (f" ({knobs})" if knobs else "")
    yield from map(page.bold, page.entry("", visible_text(f"{recipe.model.path}: {title}")))
    yield (
        f"{count_text(estimate.trainable_parameters)} of {count_text(estimate.total_parameters)} parameters "
        f"are trained ({share_text(estimate.share)})."
    )
    tokens = longest.tokens if longest else recipe.data.max_length
    why = "the longest row of the data" if longest else "data.max_length"
    yield ""
    yield from page.entry(
        "",
        f"Memory at the peak ({estimate.peak_at}), with {count_text(recipe.training.micro_batch)} rows at once of "
        f"{count_text(tokens)} tokens ({why}):",
    )
    most = max(estimate.parts.values(), default=0) or 1
    room = max(8, min(40, page.width - 34))
    for name, size in estimate.parts.items():
        bar = page.bar(size / most, room) if size else ""
        yield f"  {name:<12} {size_text(size):>10}  {bar}".rstrip()
    yield f"  {'tensors':<12} {size_text(estimate.allocated):>10}  without the context"
    yield (
        f"  {'in all':<12} {size_text(estimate.reserved):>10}  "
        f"expected, from {size_text(estimate.reserved_low)} to {size_text(estimate.reserved_high)}"
    )
    yield ""
    device = estimate.device
    yield f"{visible_text(device.name)} has {size_text(device.free)} free of {size_text(device.total)}."
    yield page.bold(VERDICTS.get(estimate.verdict, estimate.verdict))
    if advice:
        yield ""
        yield "What would make it smaller:"
    for item in advice:
        sets = " ".join(f"--set {key}={_plain(value)}" for key, value in _needed(recipe, item.settings).items())
        yield from page.entry("  ", f"{item.change}: saves {size_text(item.memory)}, {item.time}")
        yield f"    {sets}"


def _needed(recipe: Recipe, settings: dict[str, Any]) -> dict[str, Any]:
    """The settings without those that another method has by default."""
    if "method.name" not in settings:
        return settings
    fresh = change_recipe(recipe, {"method.name": settings["method.name"]}).method.knobs
    return {key: value for key, value in settings.items() if fresh.get(key.removeprefix("method.")) != value}


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
