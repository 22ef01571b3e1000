"""workbench methods: every fine-tuning method with its knobs, one of them, or one of PEFT's own kinds."""

from __future__ import annotations

import argparse
import json
import textwrap
from typing import Any

from workbench.cli.page import Page, find_page, say, say_json
from workbench.core.errors import UserError
from workbench.core.knobs import Knob, knobs_of
from workbench.core.methods import METHODS, Method
from workbench.core.methods.proved import WORDS, proved_of, proved_words
from workbench.core.methods.rates import WIDTH


def run(given: argparse.Namespace) -> int:
    """Print them."""
    page = find_page()
    if given.method and given.method not in METHODS:
        from workbench.cli.kinds import show_kind

        return show_kind(given, page)
    if given.model or given.settings:
        raise UserError("workbench methods tries PEFT's kinds on a model: name one, such as LOHA.")
    chosen = [METHODS[given.method]] if given.method else list(METHODS.values())
    if given.json:
        documents = [{**method.to_json(), "proved": proved_of(method.name)} for method in chosen]
        if given.method == "peft":
            from workbench.cli.kinds import kinds_of

            documents[0]["kinds"] = [kind.to_json() for kind in kinds_of(given.module)]
        say_json(documents[0] if given.method else documents)
        return 0
    for number, method in enumerate(chosen):
        if number:
            say()
        for line in _lines(method, page):
            say(line)
    if given.method == "peft":
        from workbench.cli.kinds import say_kinds

        say_kinds(given.module, page)
    return 0


def _lines(method: Method, page: Page) -> list[str]:
    room = min(page.width, 100)

    def wrap(text: str, indent: str = "  ", first: str | None = None) -> list[str]:
        return textwrap.wrap(text, room, initial_indent=first or indent, subsequent_indent=indent)

    lines = [page.bold(f"{method.title} ({method.name})"), *wrap(method.what), *wrap(method.equation)]
    width = f" on a model {WIDTH:,} wide, more on a narrower one" if method.by_width else ""
    lines += wrap(
        f"Trains {method.trains}: {method.formula}. Learning rate {method.learning_rate:g}{width} unless the recipe "
        "says otherwise."
    )
    lines += wrap(
        ("Merges into the base's weights. " if method.merges else "")
        + f"Base and tuned {'answer from one model in memory' if method.shares_base else 'are two models'}."
    )
    lines += wrap(_proved(method.name))
    lines += wrap(method.paper)
    knobs = knobs_of(method.knobs)
    for knob in knobs.values():
        lines += wrap(_knob(knob), indent="      ", first="    ")
    if not knobs:
        lines.append("    no knobs of its own")
    return lines


def _proved(name: str) -> str:
    """On which architectures the method has been proved, over which bases."""
    by_words: dict[str, list[str]] = {}
    for model_type, title in WORDS.items():
        by_words.setdefault(proved_words(name, model_type), []).append(title)
    found = [f"{', '.join(titles)} ({words})" for words, titles in by_words.items() if words]
    return f"Proved on {'; '.join(found)}." if found else ""


def _knob(knob: Knob) -> str:
    default: Any = (knob.default or "nothing") if isinstance(knob.default, str) else json.dumps(knob.default)
    return f"method.{knob.name}  {knob.help} Takes {knob.accepted}; {default} unless given."
