"""PEFT's kinds of adapters, as PEFT's own config classes describe them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from workbench.core.errors import UserError
from workbench.core.files import read_json
from workbench.core.methods.asking import ask_engine, text_key


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a kind: a field of its config class."""

    name: str
    help: str
    default: Any
    accepts: str
    """The field's type, in Python's words."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of adapter."""

    name: str
    what: str
    """The first sentence of the config class's own description."""
    settings: tuple[Setting, ...]

    def to_json(self) -> dict[str, Any]:
        """The kind as plain values."""
        settings = [
            {"name": one.name, "help": one.help, "default": one.default, "accepts": one.accepts}
            for one in self.settings
        ]
        return {"kind": self.name, "what": self.what, "settings": settings}


def peft_version() -> str:
    """PEFT's version; empty where it is not installed."""
    try:
        return version("peft")
    except PackageNotFoundError:
        return ""


def config_file(path: str) -> Path:
    """The config's file; UserError where there is none, or it names no kind of adapter."""
    start = Path(path).expanduser()
    file = start / "adapter_config.json" if start.is_dir() else start
    values = read_json(file)
    if not path:
        raise UserError(
            "Name one of PEFT's kinds in method.kind, such as LOHA, or its adapter_config.json in method.config."
        )
    if not isinstance(values, dict) or not isinstance(values.get("peft_type"), str):
        raise UserError(
            f"method.config cannot be {path!r}; it takes PEFT's adapter_config.json, which names its peft_type, "
            "or leave it empty and name a method.kind."
        )
    return file.absolute()


def module_file(path: str) -> Path:
    """The file of a tuner of the user's own; UserError where it is no Python file."""
    file = Path(path).expanduser().absolute()
    if file.suffix != ".py" or not file.is_file():
        raise UserError(f"method.module cannot be {path!r}; it takes a Python file that registers a tuner with PEFT.")
    return file


@lru_cache(maxsize=8)
def peft_kinds(module: str = "") -> tuple[Kind, ...]:
    """Every kind that PEFT has here, with those of the user's own `module`; found out once and kept.

    UserError where PEFT, or the module, cannot be imported.
    """
    file = str(module_file(module)) if module else ""
    text = Path(file).read_text("utf-8", "replace") if file else ""
    found = ask_engine(
        "workbench.engine.methods.kinds",
        {"module": file},
        f"kinds-{text_key(peft_version(), text)}",
        "PEFT could not be asked for its kinds; see that it is installed.",
    )
    if "refused" in found:
        raise UserError(str(found["refused"]))
    return tuple(
        Kind(kind["kind"], kind["what"], tuple(Setting(**setting) for setting in kind["settings"]))
        for kind in found["kinds"]
    )


def kind_named(name: str, module: str = "") -> Kind:
    """The kind of that name, in any case; UserError lists what there is."""
    kinds = {kind.name: kind for kind in peft_kinds(module)}
    if name.upper() in kinds:
        return kinds[name.upper()]
    raise UserError(f"PEFT has no kind of adapter named {name}; it has {', '.join(kinds)}.")
