"""workbench methods: every fine-tuning method with its knobs."""

from __future__ import annotations

import argparse
import json
import textwrap
from typing import Any

from workbench.cli.page import Page, find_page, say, say_json
from workbench.core.knobs import Knob, knobs_of
from workbench.core.methods import METHODS, Method
from workbench.core.methods.rates import WIDTH


def run(given: argparse.Namespace) -> int:
    """Print them."""
    if given.json:
        say_json([method.to_json() for method in METHODS.values()])
        return 0
    page = find_page()
    for number, method in enumerate(METHODS.values()):
        if number:
            say()
        for line in _lines(method, page):
            say(line)
    return 0


def _lines(method: Method, page: Page) -> list[str]:
    room = min(page.width, 100)

    def wrap(text: str, indent: str = "  ", first: str | None = None) -> list[str]:
        return textwrap.wrap(text, room, initial_indent=first or indent, subsequent_indent=indent)

    lines = [page.bold(f"{method.title} ({method.name})"), *wrap(method.what), *wrap(method.equation)]
    width = f" on a model {WIDTH:,} wide, more on a narrower one" if method.by_width else ""
    lines += wrap(
        f"Trains {method.trains}; learning rate {method.learning_rate:g}{width} unless the recipe says otherwise."
    )
    lines += wrap(
        ("Merges into the base's weights. " if method.merges else "")
        + f"Base and tuned {'answer from one model in memory' if method.shares_base else 'are two models'}."
    )
    lines += wrap(method.paper)
    knobs = knobs_of(method.knobs)
    for knob in knobs.values():
        lines += wrap(_knob(knob), indent="      ", first="    ")
    if not knobs:
        lines.append("    no knobs of its own")
    return lines


def _knob(knob: Knob) -> str:
    default: Any = knob.default if isinstance(knob.default, str) else json.dumps(knob.default)
    return f"method.{knob.name}  {knob.help} Takes {knob.accepted}; {default} unless given."
