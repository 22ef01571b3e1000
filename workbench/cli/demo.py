"""workbench demo: the whole story on the bundled model and data, in the app or as text."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from workbench.cli.app import open_app
from workbench.cli.follow import SILENT, Voice
from workbench.cli.page import Page, find_page, say, say_json
from workbench.cli.recipes import open_recipe
from workbench.cli.train import check_run, start_run
from workbench.cli.watch import follow_to_end
from workbench.core.errors import UserError
from workbench.core.places import Workspace, find_workspace
from workbench.core.runs.events import Event
from workbench.core.runs.facts import describe_run
from workbench.core.runs.view import RunView
from workbench.core.words import clip_text, count_text, loss_text, share_text, visible_text

RECIPE = "capitals"

SHOWN = 3
"""Questions that the story shows."""


def run(given: argparse.Namespace) -> int:
    """Tell the story."""
    if given.json and not given.headless:
        raise UserError("workbench demo --json tells no story; add --headless.")
    recipe = open_recipe(RECIPE)
    if not given.headless:
        return open_app(given.workspace, recipe)
    workspace = find_workspace(given.workspace)
    page = find_page()
    if not given.json:
        for line in (*page.entry("", BEGINNING), ""):
            say(line)
    check_run(recipe, workspace, None)
    folder = start_run(recipe, workspace, _free_name(workspace))
    if not given.json:
        say(f"The run is named {folder.name}; ctrl-c leaves it running.")
        say()
    view = follow_to_end(folder, SILENT if given.json else Voice(_told, of_end=False))
    facts = describe_run(folder, view)
    document = {key: facts.get(key) for key in ("base_score", "score", "seconds", "trainable_parameters", "run")}
    if given.json:
        say_json(document)
        return 0
    for line in _ending(facts, view, page):
        say(line)
    return 0


def _free_name(workspace: Workspace) -> str:
    """demo, demo-2, demo-3, …: the first that no run has."""
    number = 1
    while (workspace.runs / (name := "demo" if number == 1 else f"demo-{number}")).exists():
        number += 1
    return name


BEGINNING = (
    "The bundled model tiny has read statements such as: The capital of France is Paris. It has read questions too, "
    "but never one with its answer behind it. So it knows the capitals, and does not know how to be asked for them. "
    "LoRA teaches it that: it is shown questions with answers for half of the countries, and asked about the others."
)


def _told(event: Event, page: Page) -> Iterator[str]:
    """The lines of the story for one event of the run."""
    kind = event["kind"]
    if kind == "start":
        yield (
            f"{count_text(event.get('trainable_parameters'))} of {count_text(event.get('total_parameters'))} "
            f"parameters are trained ({share_text(event.get('share'))}), "
            f"on {count_text(event.get('rows'))} questions with answers."
        )
    elif kind == "eval" and event.get("side") == "base":
        yield f"Before training, the base answers {_right(event)} questions about the other countries."
        yield "Asked one, it says:"
    elif kind == "eval":
        right = f", {_right(event)} answered right" if event.get("score") is not None else ""
        yield f"step {event['step']}: held-out loss {loss_text(event.get('loss'))}{right}"
    elif kind == "sample" and event.get("tuned") is None:
        yield from _said(event, page, "prompt", "base")
    elif kind == "notice" and event.get("level") != "info":
        yield f"note: {visible_text(str(event.get('text', '')))}"


def _right(event: Event) -> str:
    """How many of how many held-out questions were answered right."""
    scored = int(event.get("scored") or 0)
    return f"{round(float(event.get('score') or 0.0) * scored)} of {scored}"


def _said(sample: Event, page: Page, *sides: str) -> Iterator[str]:
    """A held-out question and what was answered, a line each."""
    labels = {"prompt": "asked", "base": "base says", "tuned": "tuned says"}
    for side in sides:
        yield clip_text(f"  {labels[side]:<12}{visible_text(str(sample.get(side)).strip())}", page.width)


def _ending(facts: dict[str, Any], view: RunView, page: Page) -> Iterator[str]:
    """The same questions to both sides, and the table; its lines are the last ones."""
    last = {sample.get("prompt"): sample for sample in view.samples if sample.get("tuned") is not None}
    yield ""
    yield "The same questions to both, after a training that never showed them:"
    for sample in list(last.values())[-SHOWN:]:
        yield from _said(sample, page, "prompt", "base", "tuned")
    yield ""
    yield f"Ask it yourself: workbench chat {facts['run']}"
    yield ""
    seconds = facts.get("seconds")
    rows = [
        ("held-out exact match", share_text(facts.get("base_score")), share_text(facts.get("score"))),
        ("seconds of training", "–", "–" if seconds is None else f"{seconds:.1f}"),
        ("trainable parameters", "–", count_text(facts.get("trainable_parameters"))),
    ]
    yield from page.table((f"{count_text(facts.get('scored'))} questions", "base", "tuned"), rows, "lrr")
