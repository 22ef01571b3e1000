"""The fine-tuning methods as facts: what each is, its knobs, and how many parameters it trains.

One file a method. How a method is built on a real model stands in `workbench.engine.methods`.
"""

from workbench.core.errors import UserError
from workbench.core.methods.full import FULL
from workbench.core.methods.lora import LORA
from workbench.core.methods.method import Count, Method
from workbench.core.methods.qlora import QLORA

METHODS: dict[str, Method] = {method.name: method for method in (FULL, LORA, QLORA)}
"""Every method by the name that a recipe uses."""


def method_named(name: object) -> Method:
    """The method of that name; UserError lists the names there are."""
    if isinstance(name, str) and name in METHODS:
        return METHODS[name]
    raise UserError(f"method.name cannot be {name!r}; it takes {', '.join(METHODS)}.")


__all__ = ["METHODS", "Count", "Method", "method_named"]
