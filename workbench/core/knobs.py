"""A knob: one setting's default, meaning and limits, declared once for the form, the help, the YAML and the check."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from workbench.core.errors import UserError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Knob:
    """What is true of one setting."""

    name: str
    help: str
    default: Any
    kinds: tuple[type, ...]
    """Accepted Python types; NoneType among them where the setting may be empty."""
    choices: tuple[str, ...] = ()
    """Accepted words; where `kinds` holds more than str, other values are accepted beside them."""
    low: float | None = None
    high: float | None = None
    above: float | None = None
    """An exclusive lower bound."""
    unit: str = ""

    @property
    def accepted(self) -> str:
        """What would be accepted, in words."""
        parts: list[str] = []
        if self.choices:
            parts.append(", ".join(self.choices))
        if bool in self.kinds:
            parts.append("true or false")
        number = "a number" if float in self.kinds else "a whole number" if int in self.kinds else ""
        if number:
            if self.above is not None and self.high is not None:
                number += f" above {self.above:g} and at most {self.high:g}"
            elif self.above is not None:
                number += f" above {self.above:g}"
            elif self.low is not None and self.high is not None:
                number += f" from {self.low:g} to {self.high:g}"
            elif self.low is not None:
                number += f" of at least {self.low:g}"
            parts.append(number)
        if str in self.kinds and not self.choices:
            parts.append("text")
        if dict in self.kinds:
            parts.append("a mapping")
        if list in self.kinds:
            parts.append("a list")
        if types.NoneType in self.kinds:
            parts.append("null")
        return " or ".join(parts)

    def check(self, value: Any, key: str) -> Any:
        """`value`, as the knob's own type; UserError names `key`, the value and what would be accepted."""
        if isinstance(value, str) and str not in self.kinds and float in self.kinds:
            with contextlib.suppress(ValueError):
                value = float(value)  # YAML 1.1 reads 2e-3 as text
        elif type(value) is int and set(self.kinds) <= {str, types.NoneType}:
            value = str(value)  # YAML reads the layer 0 as a number
        if self._accepts(value):
            return float(value) if isinstance(value, int) and self._wants_float(value) else value
        raise UserError(f"{key} cannot be {_shown(value)}; it takes {self.accepted}.")

    def _wants_float(self, value: Any) -> bool:
        return float in self.kinds and int not in self.kinds and not isinstance(value, bool)

    def _accepts(self, value: Any) -> bool:
        if value is None:
            return types.NoneType in self.kinds
        if isinstance(value, bool):
            return bool in self.kinds
        if isinstance(value, (int, float)):
            if isinstance(value, float) and (float not in self.kinds or math.isnan(value)):
                return False
            if int not in self.kinds and float not in self.kinds:
                return False
            return (
                (self.low is None or value >= self.low)
                and (self.high is None or value <= self.high)
                and (self.above is None or value > self.above)
            )
        if isinstance(value, str):
            return str in self.kinds and (not self.choices or value in self.choices)
        return isinstance(value, tuple(kind for kind in self.kinds if kind in (dict, list)))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def knob(
    default: Any,
    help: str,
    *,
    choices: tuple[str, ...] = (),
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    unit: str = "",
) -> Any:
    """A dataclass field with its meaning and limits."""
    limits = {"help": help, "choices": choices, "low": low, "high": high, "above": above, "unit": unit}
    if isinstance(default, (dict, list)):
        return field(default_factory=lambda: type(default)(default), metadata=limits)
    return field(default=default, metadata=limits)


def knobs_of(section: type) -> dict[str, Knob]:
    """The knobs of a section (a dataclass made with `knob`), by name, in order of declaration."""
    return dict(_declared(section))


@functools.cache
def _declared(section: type) -> dict[str, Knob]:
    hints = typing.get_type_hints(section)
    found: dict[str, Knob] = {}
    for item in dataclasses.fields(section):
        default = item.default if item.default_factory is dataclasses.MISSING else item.default_factory()
        found[item.name] = Knob(item.name, default=default, kinds=_kinds(hints[item.name]), **item.metadata)
    return found


def _kinds(hint: Any) -> tuple[type, ...]:
    parts = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    kinds: list[type] = []
    for part in parts:
        origin = typing.get_origin(part) or part
        kinds.append(origin if isinstance(origin, type) else types.NoneType)
    return tuple(kinds)


def section_from(kind: type[T], values: Mapping[str, Any], where: str) -> T:
    """A checked section of `kind` from plain values; UserError names an unknown key or an impossible value."""
    knobs = knobs_of(kind)
    checked: dict[str, Any] = {}
    for key, value in values.items():
        if key not in knobs:
            raise UserError(f"{where}.{key} is not a key of a recipe; {_nearest(str(key), list(knobs), where)}")
        checked[key] = knobs[key].check(value, f"{where}.{key}")
    return kind(**checked)


def _nearest(key: str, names: list[str], where: str) -> str:
    import difflib

    near = difflib.get_close_matches(key, names, n=1)
    if near:
        return f"did you mean {where}.{near[0]}?"
    return f"{where} takes {', '.join(names)}."
