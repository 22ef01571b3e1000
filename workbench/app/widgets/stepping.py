"""The next value up or down when a number is changed by + and -."""

from __future__ import annotations

import math
import types
from typing import Any

from workbench.core.knobs import Knob

DOUBLED = {"rank", "alpha", "micro_batch", "effective_batch", "max_length"}
"""Knobs whose usual values are powers of two."""

LADDER = (1.0, 2.0, 5.0, 10.0)
"""Steps within a decade for what spans several of them."""


def next_value(knob: Knob, value: float | None, up: bool, start: float | None = None) -> Any:
    """The neighbour of `value`; `start` is what an empty knob stands for. Stays within the knob's limits."""
    if value is None:
        if start is None:
            start = knob.low if knob.low is not None else 1
        value = start
    if knob.name in DOUBLED:
        found = _power(value, up)
    elif knob.high is not None and knob.high <= 1 and float in knob.kinds:
        found = _twentieth(value, up)
    elif float in knob.kinds or value >= 20:
        found = _rung(value, up)
    else:
        found = value + (1 if up else -1)
    if knob.low is not None:
        found = max(found, knob.low)
    if knob.high is not None:
        found = min(found, knob.high)
    if knob.above is not None and found <= knob.above:
        found = value
    return float(found) if float in knob.kinds else round(found)


def _power(value: float, up: bool) -> float:
    if value <= 0:
        return 1
    exponent = math.log2(value)
    return float(2 ** (math.floor(exponent + 1e-9) + 1 if up else math.ceil(exponent - 1e-9) - 1))


def _twentieth(value: float, up: bool) -> float:
    steps = value * 20
    return (math.floor(steps + 1e-9) + 1 if up else math.ceil(steps - 1e-9) - 1) / 20


def _rung(value: float, up: bool) -> float:
    if value <= 0:
        return 0.1 if up else 0.0
    decade = 10.0 ** math.floor(math.log10(value) + 1e-9)
    place = value / decade
    if up:
        return next(rung for rung in LADDER if rung > place * (1 + 1e-9)) * decade
    return next((rung for rung in reversed(LADDER[:3]) if rung < place * (1 - 1e-9)), 0.5) * decade


def is_number(knob: Knob) -> bool:
    """Whether the knob is a number and nothing else (it may be empty)."""
    rest = set(knob.kinds) - {types.NoneType}
    return bool(rest) and rest <= {int, float}
