"""The lessons: Markdown files with places for figures and keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from workbench.core.words import is_control

FOLDER = Path(__file__).resolve().parent / "text"

ORDER = (
    "base_model", "fine_tuning", "loss", "loss_mask", "full_or_lora", "qlora", "memory", "held_out", "loss_curve",
    "forgetting", "glossary",
)  # fmt: skip
"""The lessons in the order in which they build on each other."""

PLACE = re.compile(r"\{\{([a-z0-9_:]+)\}\}")
"""A place such as {{total_parameters}} or {{key:start}}."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """One lesson."""

    name: str
    title: str
    text: str
    """Markdown, its places still empty."""


@cache
def load_lessons() -> tuple[Lesson, ...]:
    """Every lesson, in order; the first line of its file is its title."""
    lessons = []
    for name in ORDER:
        text = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
        title, _, rest = text.partition("\n")
        lessons.append(Lesson(name, title.removeprefix("# ").strip(), rest.strip() + "\n"))
    return tuple(lessons)


def placeholders(text: str) -> set[str]:
    """The places in a lesson's text."""
    return set(PLACE.findall(text))


def fill_lesson(text: str, figures: Mapping[str, str]) -> str:
    """The text with its places filled; KeyError for a place without a figure.

    A figure may come from a file, such as a model's name: what Markdown or a terminal would act on is taken out.
    """
    return PLACE.sub(lambda found: _plain(figures[found.group(1)]), text)


def _plain(figure: str) -> str:
    shown = "".join(letter for letter in figure if not is_control(letter))
    return re.sub(r"([\\`*_\[\]<>#|~])", r"\\\1", shown)
