"""The fine-tuning methods as facts: what each is, its knobs, and how many parameters it trains.

One file a method. How a method is built on a real model stands in `workbench.engine.methods`.
"""

from workbench.core.errors import UserError
from workbench.core.methods.adalora import ADALORA
from workbench.core.methods.bitfit import BITFIT
from workbench.core.methods.full import FULL
from workbench.core.methods.fusion import FUSION
from workbench.core.methods.houlsby import HOULSBY
from workbench.core.methods.ia3 import IA3
from workbench.core.methods.layernorm import LAYER_NORM
from workbench.core.methods.llama_adapter import LLAMA_ADAPTER
from workbench.core.methods.lora import LORA
from workbench.core.methods.method import Count, Method
from workbench.core.methods.miss import MISS
from workbench.core.methods.oft import OFT
from workbench.core.methods.parallel import PARALLEL
from workbench.core.methods.peft import PEFT
from workbench.core.methods.pfeiffer import PFEIFFER
from workbench.core.methods.prefix import PREFIX
from workbench.core.methods.prompt import PROMPT
from workbench.core.methods.ptuning import P_TUNING
from workbench.core.methods.qlora import QLORA
from workbench.core.methods.tokens import TOKENS
from workbench.core.methods.vera import VERA

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        FULL,
        LORA,
        QLORA,
        HOULSBY,
        PFEIFFER,
        PARALLEL,
        FUSION,
        LLAMA_ADAPTER,
        PROMPT,
        PREFIX,
        P_TUNING,
        IA3,
        BITFIT,
        LAYER_NORM,
        ADALORA,
        VERA,
        OFT,
        MISS,
        TOKENS,
        PEFT,
    )
}
"""Every method by the name that a recipe uses."""


def method_named(name: object) -> Method:
    """The method of that name; UserError lists the names there are."""
    if isinstance(name, str) and name in METHODS:
        return METHODS[name]
    raise UserError(f"method.name cannot be {name!r}; it takes {', '.join(METHODS)}.")


__all__ = ["METHODS", "Count", "Method", "method_named"]
