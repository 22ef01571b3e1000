"""PEFT's kinds of adapters on the command line: their settings, and what one of them does on a model."""

from __future__ import annotations

import argparse
import json
import textwrap
from typing import Any

from workbench.cli.page import Page, say, say_json
from workbench.core.methods.peft import METHOD as PEFT
from workbench.core.methods.peft_kinds import Kind, kind_named, peft_kinds
from workbench.core.methods.trying import ABILITIES, abilities_on
from workbench.core.places import find_workspace
from workbench.core.recipe import ModelSection, recipe_from_mapping
from workbench.core.recipe.settings import parse_settings
from workbench.core.words import count_text, share_text, visible_text


def kinds_of(module: str) -> tuple[Kind, ...]:
    """PEFT's kinds, and those of the user's own module."""
    return peft_kinds(module)


def say_kinds(module: str, page: Page) -> None:
    """One line a kind."""
    say()
    say(page.bold("Kinds (workbench methods KIND says more)"))
    for kind in peft_kinds(module):
        say(f"  {visible_text(kind.name)}  {len(kind.settings)} settings")


def show_kind(given: argparse.Namespace, page: Page) -> int:
    """One kind's settings, and on a model its count and abilities."""
    kind = kind_named(given.method, given.module)
    document = {**kind.to_json(), **(_tried(kind, given) if given.model else {})}
    if given.json:
        say_json(document)
        return 0
    room = min(page.width, 100)

    def tell(text: str, first: str = "  ", indent: str = "  ") -> None:
        for line in textwrap.wrap(visible_text(text), room, initial_indent=first, subsequent_indent=indent):
            say(line)

    say(page.bold(f"{visible_text(kind.name)} (method peft, method.kind {visible_text(kind.name)})"))
    tell(kind.what)
    for setting in kind.settings:
        tell(f"{setting.name}  {setting.help} [{json.dumps(setting.default)}]", "    ", "      ")
    if given.model:
        say()
        say(page.bold(f"On {visible_text(given.model)}"))
        tell(_count_words(document))
        for name, able in document["abilities"].items():
            tell(f"{name}: {'yes, ' + ABILITIES[name] if able is True else f'no: {able}'}")
    return 0


def _tried(kind: Kind, given: argparse.Namespace) -> dict[str, Any]:
    from workbench.cli.models import find_skeleton

    parsed = parse_settings(f"kind.{one}" for one in given.settings)
    settings = {key.removeprefix("kind."): value for key, value in parsed.items()}
    method = {"name": "peft", "kind": kind.name, "settings": settings, "module": given.module}
    knobs = recipe_from_mapping({"method": method}).method.knobs
    skeleton = find_skeleton(ModelSection(path=given.model), find_workspace(given.workspace))
    refused = PEFT.reason_against(skeleton, knobs)
    counted = None if refused else PEFT.count(skeleton, knobs)
    values = {"peft_type": kind.name, "settings": settings}
    return {
        "model": given.model,
        "trainable_parameters": counted.total if counted else None,
        "share": counted.share(skeleton) if counted else None,
        "refused": refused,
        "abilities": {} if refused else abilities_on(skeleton, values, given.module),
    }


def _count_words(document: dict[str, Any]) -> str:
    if document["refused"]:
        return str(document["refused"])
    return f"trains {count_text(document['trainable_parameters'])} parameters ({share_text(document['share'])})"
