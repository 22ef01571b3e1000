"""Round numbers for the axes of a chart."""

from __future__ import annotations

import math
from itertools import pairwise


def round_step(span: float, count: int) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that cuts `span` into at most `count` parts."""
    if span <= 0 or count < 1:
        return 1.0
    power = 10.0 ** math.floor(math.log10(span / count))
    for factor in (1, 2, 5, 10, 20):
        if span / (power * factor) <= count * (1 + 1e-9):
            return power * factor
    return power * 50


def value_ticks(low: float, high: float, count: int) -> list[float]:
    """Round values that enclose `low` to `high`, in at most `count` steps and as few as enclose them."""
    if high <= low:
        spread = abs(high) * 0.1 or 1.0
        low, high = low - spread, high + spread
    step = round_step(high - low, count)
    while True:
        first = math.floor(low / step + 1e-9)
        last = math.ceil(high / step - 1e-9)
        if last - first <= count:
            return [index * step for index in range(first, last + 1)]
        step = round_step(step * count * 1.01, count)


def step_ticks(last: int, count: int) -> list[int]:
    """Whole round numbers from 0 to at most `last`, in at most `count` steps."""
    if last < 1:
        return [0]
    step = max(1, math.ceil(round_step(last, max(1, count))))
    return list(range(0, last + 1, step))


def tick_labels(values: list[float]) -> list[str]:
    """The values as text in one form: with as many decimals as tell them apart, with k or M, or with a power of ten."""
    most = max((abs(value) for value in values), default=0.0)
    step = min((abs(after - before) for before, after in pairwise(values)), default=most) or 1.0
    if most >= 1e6:
        return [_scaled(value, 1e6, "M", step) for value in values]
    if most >= 1e4:
        return [_scaled(value, 1e3, "k", step) for value in values]
    if most and most < 0.01:
        power = math.floor(math.log10(most) + 1e-9)
        decimals = max(0, power - math.floor(math.log10(step) + 1e-9))
        return ["0" if not value else f"{value / 10.0**power:.{decimals}f}e{power}" for value in values]
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return [f"{value:.{decimals}f}" for value in values]


def _scaled(value: float, unit: float, letter: str, step: float) -> str:
    decimals = max(0, -math.floor(math.log10(step / unit) + 1e-9))
    return "0" if not value else f"{value / unit:.{decimals}f}{letter}"
