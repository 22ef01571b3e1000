"""The fine-tuning methods as facts: what each is, its knobs, and how many parameters it trains.

One file a method. How a method is built on a real model stands in `workbench.engine.methods`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

from workbench.core.errors import UserError
from workbench.core.methods.method import Count, Method

FILES = {
    "full": "full",
    "lora": "lora",
    "qlora": "qlora",
    "houlsby": "houlsby",
    "pfeiffer": "pfeiffer",
    "parallel": "parallel",
    "fusion": "fusion",
    "llama-adapter": "llama_adapter",
    "prompt": "prompt",
    "prefix": "prefix",
    "p-tuning": "ptuning",
    "ia3": "ia3",
    "bitfit": "bitfit",
    "layernorm": "layernorm",
    "adalora": "adalora",
    "vera": "vera",
    "oft": "oft",
    "miss": "miss",
    "tokens": "tokens",
    "peft": "peft",
}
"""Each method's file in this folder; the file's constant `METHOD` holds its facts."""


class _Methods(Mapping[str, Method]):
    """Reads a method's file when it is first asked for: all of them take 35 ms, which every command would wait for."""

    def __init__(self) -> None:
        self._read: dict[str, Method] = {}

    def __getitem__(self, name: str) -> Method:
        if name not in self._read:
            method: Method = import_module(f"{__name__}.{FILES[name]}").METHOD
            self._read[name] = method
        return self._read[name]

    def __contains__(self, name: object) -> bool:
        return name in FILES

    def __iter__(self) -> Iterator[str]:
        return iter(FILES)

    def __len__(self) -> int:
        return len(FILES)


METHODS: Mapping[str, Method] = _Methods()
"""Every method by the name that a recipe uses."""


def method_named(name: object) -> Method:
    """The method of that name; UserError lists the names there are."""
    if isinstance(name, str) and name in METHODS:
        return METHODS[name]
    raise UserError(f"method.name cannot be {name!r}; it takes {', '.join(METHODS)}.")


__all__ = ["METHODS", "Count", "Method", "method_named"]
