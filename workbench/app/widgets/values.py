"""A knob's value as it is typed and shown in a form."""

from __future__ import annotations

import re
from typing import Any

from workbench.app.words import figure
from workbench.core.knobs import Knob

WORDS = {"auto": "auto", True: "on", False: "off"}
"""Switch-like values as they are shown."""


def value_text(value: Any) -> str:
    """The value as a person would type it; empty for null."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return WORDS[value]
    if isinstance(value, float):
        return figure(value, 6)
    if isinstance(value, dict):
        return ", ".join(f"{key}={value_text(content)}" for key, content in value.items())
    if isinstance(value, list):
        return ", ".join(value_text(content) for content in value)
    return str(value)


def parse_value(knob: Knob, text: str) -> Any:
    """What the text means for this knob, not yet checked against its limits."""
    text = text.strip()
    if dict in knob.kinds:
        return _mapping(text, numbers=knob.name != "mapping")
    if list in knob.kinds and str in knob.kinds and re.search(r"[*+^$()|\\]|^all-linear$", text):
        return text  # one of PEFT's own words, or a pattern
    if list in knob.kinds and not text and type(None) in knob.kinds:
        return None
    if list in knob.kinds:
        return [_number(part.strip()) or part.strip() for part in text.split(",") if part.strip()]
    if not text and type(None) in knob.kinds:
        return None
    if int in knob.kinds or float in knob.kinds:
        number = _number(text)
        if number is not None:
            return number
    return text


def _number(text: str) -> int | float | None:
    plain = text.replace(",", "").replace("_", "") if text[:1].isdigit() else text
    try:
        return int(plain)
    except ValueError:
        pass
    try:
        return float(plain)
    except ValueError:
        return None


def _mapping(text: str, numbers: bool) -> dict[str, Any] | str:
    """`a=1, b=2`; the text itself where it is no such thing, for the knob to refuse."""
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if any(not equals or not key.strip() or not value.strip() for key, equals, value in pairs):
        return text
    found: dict[str, Any] = {}
    for key, _, value in pairs:
        number = _number(value.strip()) if numbers else None
        found[key.strip()] = value.strip() if number is None else number
    return found


def choices_of(knob: Knob) -> list[Any]:
    """Every value of a knob that takes only certain ones: words, and on and off where it takes them; else empty."""
    if not knob.choices:
        return []
    return [*knob.choices, *((True, False) if bool in knob.kinds else ())]
