"""workbench estimate: parameters and memory of a recipe, part by part, and whether it fits."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from workbench.cli.models import find_skeleton
from workbench.cli.page import Page, find_page, say, say_json
from workbench.cli.recipes import change, find_recipe
from workbench.core.errors import RunFailedError
from workbench.core.memory.accuracy import accuracy_tables
from workbench.core.memory.advice import Advice, advise
from workbench.core.memory.calibrated import verdict_here
from workbench.core.memory.costs import Duration, Price, expected_duration, money_text, parse_price, read_price
from workbench.core.memory.device import Device, find_device
from workbench.core.memory.disk import disk_needed
from workbench.core.memory.estimate import Estimate, estimate_memory
from workbench.core.memory.experience import Experience, read_experience
from workbench.core.memory.limits import Limits, find_limits, fits_on_cards
from workbench.core.memory.loop import Loop, parse_loop
from workbench.core.memory.parameters import Branch, layer_sums, parameter_tree
from workbench.core.memory.row_shape import RowShape, row_shape
from workbench.core.models.locate import locate_model
from workbench.core.models.ready import ready_folder
from workbench.core.places import Workspace, find_workspace
from workbench.core.recipe import Recipe, change_recipe, load_recipe, parse_settings
from workbench.core.words import count_text, seconds_text, share_text, size_text, visible_text

if TYPE_CHECKING:
    from workbench.core.memory.traced import Traced

VERDICTS = {
    "fits": "It fits.",
    "tight": "It is tight: it fits if nothing else takes memory meanwhile.",
    "does not fit": "It does not fit.",
}


@dataclass(frozen=True, slots=True)
class Findings:
    """All that the command says."""

    recipe: Recipe
    rows: RowShape | None
    estimate: Estimate
    advice: tuple[Advice, ...]
    limits: Limits
    cards: list[dict[str, Any]]
    experience: Experience
    disk: dict[str, int]
    duration: Duration | None
    price: Price | None
    tree: tuple[Branch, ...]
    traced: Traced | None
    caution: str | None
    """Why the formula alone is not enough for this model."""
    loop: Loop
    each: dict[str, int] | None
    """Parts on one of several GPUs, where that was asked for."""

    def to_json(self, given: argparse.Namespace) -> dict[str, Any]:
        """DESIGN's document, and more."""
        from workbench.core.memory.traced import difference, doubt

        traced = self.traced
        document = {
            **self.estimate.to_json(),
            "longest_row": {"tokens": self.rows.tokens, "trained": self.rows.trained} if self.rows else None,
            "traced": {**traced.to_json(), "difference": difference(self.estimate, traced)} if traced else None,
            "doubt": doubt(self.estimate, traced) if traced else self.caution,
            "here": {**self.experience.to_json(), "band": self.experience.band(self.estimate)},
            "limits": self.limits.to_json(),
            "cards": self.cards,
            "duration": self.duration.to_json() if self.duration else None,
            "cost": self.price.to_json(self.duration.seconds if self.duration else None) if self.price else None,
            "disk": self.disk,
            "advice": [item.to_json() for item in self.advice],
            "loop": asdict(self.loop),
            "accuracy": [table.to_json() for table in accuracy_tables()],
            "parameters": [kind.to_json() for kind in self.tree],
            "layers": layer_sums(self.tree),
        }
        if self.each is not None:
            document["each_gpu"] = {"world_size": given.world_size, "sharding": given.sharding, **self.each}
        return document


def run(given: argparse.Namespace) -> int:
    """Print the estimate."""
    recipe, workspace = recipe_of(given), find_workspace(given.workspace)
    found = _find(recipe, given, workspace, _device(given))
    if given.json:
        say_json(found.to_json(given))
        return 0
    page = find_page()
    for line in _lines(found, page, given):
        say(line)
    return 0


def recipe_of(given: argparse.Namespace) -> Recipe:
    """The recipe that the words of the command mean."""
    recipe = load_recipe(find_recipe(given.recipe)) if given.recipe else Recipe()
    named = {"model.path": given.model, "method.name": given.method, "data.source": given.data}
    settings = {key: value for key, value in named.items() if value is not None}
    return change(recipe, {**settings, **parse_settings(given.settings)})


def _device(given: argparse.Namespace) -> Device:
    if not given.card:
        return find_device()
    from workbench.core.memory.cards import card_named

    return card_named(given.card).device


def _find(recipe: Recipe, given: argparse.Namespace, workspace: Workspace, device: Device) -> Findings:
    report = _report(recipe, workspace) if given.recipe or given.data else None
    rows = row_shape(report) if report is not None else None
    loop = parse_loop(given.loop)
    traced = each = untraced = None
    if given.trace:  # before the skeleton, which the tracer builds and keeps where there is none yet
        from workbench.core.memory.traced import trace_memory

        try:
            traced = trace_memory(recipe, rows, device, workspace, loop=loop)
        except RunFailedError as error:
            untraced = f"{error.sentence} The figures are by the formula alone."
    skeleton = find_skeleton(recipe.model, workspace)
    estimate = estimate_memory(recipe, skeleton, device, rows, loop)
    from workbench.core.memory.traced import caution

    experience = read_experience(workspace, device)
    estimate = replace(estimate, verdict=verdict_here(estimate, experience))
    if given.world_size:
        from workbench.core.memory.sharding import shard

        each = shard(estimate, skeleton, given.world_size, given.sharding)
    return Findings(
        recipe, rows, estimate, advise(recipe, skeleton, device, rows, loop),
        find_limits(recipe, skeleton, device, rows, loop), fits_on_cards(recipe, skeleton, rows, loop), experience,
        disk_needed(recipe, estimate),
        expected_duration(recipe, report, experience),
        read_price(workspace) if given.price is None else parse_price(given.price),
        parameter_tree(skeleton, recipe.method.facts.count(skeleton, recipe.method.knobs)), traced,
        untraced or caution(skeleton, recipe), loop, each,
    )  # fmt: skip


def _report(recipe: Recipe, workspace: Workspace) -> dict[str, Any] | None:
    """What the data that was named holds; None where it or the model's tokenizer is not at hand yet."""
    place = locate_model(recipe.model.path, needs_weights=False)
    folder = place.path if place.kind == "folder" else ready_folder(recipe.model, workspace)
    if folder is None or not (folder / "tokenizer.json").is_file():
        return None
    from workbench.core.data.files.hub import unfetched
    from workbench.core.data.remembered import data_report

    return None if unfetched(recipe.data, workspace) else data_report(recipe, folder, workspace)


def _lines(found: Findings, page: Page, given: argparse.Namespace) -> Iterator[str]:
    recipe, estimate = found.recipe, found.estimate
    knobs = ", ".join(f"{name} {_plain(value)}" for name, value in recipe.method.knobs.items())
    title = recipe.method.facts.title + (f" ({knobs})" if knobs else "")
    yield from map(page.bold, page.entry("", visible_text(f"{recipe.model.path}: {title}")))
    yield (
        f"{count_text(estimate.trainable_parameters)} of {count_text(estimate.total_parameters)} parameters "
        f"are trained ({share_text(estimate.share)})."
    )
    tokens = found.rows.tokens if found.rows else recipe.data.max_length
    why = "the longest row of the data" if found.rows else "data.max_length"
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
        f"  {'process':<12} {size_text(estimate.process):>10}  "
        f"expected in all, from {size_text(estimate.process_low)} to {size_text(estimate.process_high)}"
    )
    if found.traced is not None:
        yield from _trace_lines(estimate, found.traced, page)
    elif found.caution:
        yield from page.entry("", found.caution)
    yield from page.entry("", _experience_line(found))
    yield ""
    device = estimate.device
    yield f"{visible_text(device.name)} has {size_text(device.free)} free of {size_text(device.total)}."
    yield page.bold(VERDICTS.get(estimate.verdict, estimate.verdict))
    yield from _plan_lines(found, page, given)
    if found.advice:
        yield ""
        yield "What would make it smaller:"
    for item in found.advice:
        sets = " ".join(f"--set {key}={_plain(value)}" for key, value in _needed(recipe, item.settings).items())
        yield from page.entry("  ", f"{item.change}: saves {size_text(item.memory)}, {item.time}")
        yield f"    {sets}"


def _trace_lines(estimate: Estimate, traced: Traced, page: Page) -> Iterator[str]:
    from workbench.core.memory.traced import difference, doubt

    where = f" of {traced.module}" if traced.module else ""
    yield ""
    yield from page.entry(
        "",
        f"Traced in {seconds_text(traced.seconds)}: {size_text(traced.allocated)} of tensors, "
        f"{size_text(traced.reserved)} reserved, at {visible_text(traced.operation + where)} in {traced.peak_at}; "
        f"the formula is {share_text(abs(difference(estimate, traced)))} away.",
    )
    sentence = doubt(estimate, traced)
    if sentence:
        yield from page.entry("", sentence)
    for one in traced.largest[:5]:
        shape = "×".join(str(size) for size in one["shape"])
        words = f"{one['part']}: {one['count']} of {one['what']} {one['where']} {shape}"
        yield from page.entry("  ", f"{size_text(one['bytes']):>10}  {visible_text(words)}")
    for table in accuracy_tables():
        yield from page.entry("", visible_text(table.sentence))


def _experience_line(found: Findings) -> str:
    known, band = found.experience.to_json(), found.experience.band(found.estimate)
    if not known["compared"] or band is None:
        return "Nothing has been measured here yet; workbench calibrate takes two real steps."
    last = known["last"]
    return (
        f"Measured here {known['compared']} times: {share_text(known['median_error'])} off in the middle, "
        f"{share_text(abs(known['worst_error']))} at worst; last {size_text(last['predicted'])} predicted and "
        f"{size_text(last['measured'])} measured ({visible_text(last['name'])}). "
        f"By that, {size_text(band['expected'])}, from {size_text(band['low'])} to {size_text(band['high'])}."
    )


def _plan_lines(found: Findings, page: Page, given: argparse.Namespace) -> Iterator[str]:
    """Cards, limits, time and disk."""
    yield ""
    names: dict[str, list[str]] = {"fits": [], "tight": [], "does not fit": []}
    for one in found.cards:
        names[one["verdict"]].append(one["card"])
    for verdict, cards in names.items():
        if cards:
            yield from page.entry("", f"{verdict.capitalize()} on: {', '.join(cards)}.")
    limits = found.limits
    if limits.micro_batch is not None:
        longest = f", or rows of {count_text(limits.max_length)} tokens" if limits.max_length else ""
        yield f"Room for {count_text(limits.micro_batch)} rows at once{longest}."
    if limits.largest_model:
        yield f"The largest {limits.family} that fits with these settings: {limits.largest_model}."
    if found.duration:
        speed, price = found.duration, found.price
        took = f", so about {seconds_text(speed.seconds)}" if speed.seconds else ""
        costs = f" for {money_text(price.of(speed.seconds), price.currency)}" if price and speed.seconds else ""
        tokens = count_text(round(speed.tokens_per_second))
        yield f"{tokens} tokens a second ({visible_text(speed.source)}){took}{costs}."
    disk = found.disk
    yield (
        f"On the disk: {size_text(disk['checkpoints'])} of checkpoints, {size_text(disk['result'])} of result, "
        f"{size_text(disk['merged'])} merged."
    )
    if found.each is not None:
        yield (
            f"On each of {given.world_size} GPUs with {given.sharding}: {size_text(found.each['allocated'])} of "
            "tensors (by formula; not measured)."
        )


def _needed(recipe: Recipe, settings: dict[str, Any]) -> dict[str, Any]:
    """The settings without those that another method has by default."""
    if "method.name" not in settings:
        return settings
    fresh = change_recipe(recipe, {"method.name": settings["method.name"]}).method.knobs
    return {key: value for key, value in settings.items() if fresh.get(key.removeprefix("method.")) != value}


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
