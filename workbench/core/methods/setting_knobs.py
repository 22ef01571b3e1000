"""Settings of PEFT's kinds as knobs, made from what their config classes declare."""

from __future__ import annotations

import ast
import re
import types

from workbench.core.knobs import Knob
from workbench.core.methods.peft_kinds import Kind, Setting

TYPES: dict[str, type] = {
    "int": int, "float": float, "bool": bool, "str": str, "list": list, "set": list, "tuple": list, "dict": dict,
}  # fmt: skip


def setting_knobs(kind: Kind) -> dict[str, Knob]:
    """A knob for each setting of a kind, by name, in PEFT's order."""
    return {setting.name: setting_knob(setting) for setting in kind.settings}


def setting_knob(setting: Setting) -> Knob:
    """The setting as a knob: its type, the words it takes, and numbers from 0 up; a config of its own is a mapping."""
    outer = _without_inner(setting.accepts)
    kinds = [TYPES[word] for word in re.findall(r"\w+", outer) if word in TYPES]
    choices = _choices(setting.accepts)
    if choices:
        kinds.append(str)
    if "Config" in outer:
        kinds.append(dict)
    if setting.default is None or "None" in outer or "Optional" in outer:
        kinds.append(types.NoneType)
    if not set(kinds) - {types.NoneType}:
        kinds.append(str)
    number = int in kinds or float in kinds
    return Knob(
        setting.name, setting.help or "PEFT says nothing of it.", setting.default, tuple(dict.fromkeys(kinds)),
        choices=choices, low=0 if number and not _is_negative(setting.default) else None,
    )  # fmt: skip


def _is_negative(default: object) -> bool:
    return isinstance(default, (int, float)) and default < 0


def _choices(accepts: str) -> tuple[str, ...]:
    """The words of `Literal[...]`, where they are all that is taken beside on and off."""
    found: list[str] = []
    for inside in re.findall(r"Literal\[((?:'[^']*'|[^\]'])*)\]", accepts):
        try:
            words = [one for one in ast.literal_eval(f"[{inside}]") if isinstance(one, str)]
        except (ValueError, SyntaxError):
            return ()
        found += [word for word in words if "[" not in word]  # a word with a number of one's own in it
    return tuple(found)


def _without_inner(accepts: str) -> str:
    """The type's outer words: `list[str]` is a list; what stands in quotes is no type."""
    plain = re.sub(r"'[^']*'", "", accepts.replace("<class '", "").replace("typing", ""))
    return re.sub(r"\b(list|dict|set|tuple)\[(?:[^\[\]]|\[[^\[\]]*\])*\]", r"\1", plain)
