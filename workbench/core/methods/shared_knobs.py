"""Knobs that several methods share, each declared once."""

from __future__ import annotations

from typing import Any

from workbench.core.knobs import knob

FULL_PRECISION = "none"


def layers_knob() -> Any:
    """Which blocks a method reaches."""
    return knob("all", "Blocks of the model: all, first 4, last 4, or numbers from 0 such as 0-3,7.")


def quantisation_knob(*refused: str) -> Any:
    """What the frozen base is stored in, `refused` ones left out."""
    choices = tuple(one for one in (FULL_PRECISION, "nf4", "fp4", "int8") if one not in refused)
    return knob(FULL_PRECISION, "Numbers that the frozen base is stored in; none leaves it whole.", choices=choices)


def double_quantisation_knob() -> Any:
    """Whether the scales of a 4-bit base are quantised as well."""
    return knob(True, "Quantise the scales of a 4-bit base too, which saves 0.37 bits a parameter.")


def virtual_tokens_knob(default: int) -> Any:
    """How many trained vectors stand before the text."""
    return knob(default, "Trained vectors before every text.", low=1, high=4096, unit="tokens")
