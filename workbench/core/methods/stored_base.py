"""What a checkpoint that is quantised already takes: no training of its weights, no start that reads them whole."""

from __future__ import annotations

from typing import Any

from workbench.core.methods.shared_knobs import FULL_PRECISION
from workbench.core.models.stored import Stored

WHOLE = ("pissa", "olora", "orthogonal")
"""LoRA's starts that factorise the base's matrices, or that PEFT makes in their numbers."""


def refuse_stored(name: str, title: str, bases: tuple[str, ...], stored: Stored | None, knobs: Any) -> str | None:
    """Why a method does not train over a base that is stored so, in a sentence; None where it does.

    `bases` are the numbers that the method's own knob takes for its base.
    """
    if stored is None:
        return None
    if name == "full":
        return (
            f"A checkpoint that is stored as {stored.kind} cannot be trained in every weight; "
            "choose LoRA, or the model in 16-bit numbers."
        )
    asked = str(getattr(knobs, "quantisation", FULL_PRECISION))
    if asked not in (FULL_PRECISION, stored.kind):
        can = [one for one in (stored.kind, FULL_PRECISION) if one in bases]
        remedy = f"set method.quantisation to {' or '.join(can)}" if can else "choose LoRA, which takes it as it is"
        return f"The checkpoint is stored as {stored.kind} already; {remedy}."
    if not stored.by_bitsandbytes:
        return None
    if name != "lora" and stored.kind not in bases:
        held = f"a base that is stored as {stored.kind}"
        return f"{title} does not train over {held}; choose LoRA, or the model in 16-bit numbers."
    if getattr(knobs, "start", None) in WHOLE and name in ("lora", "qlora"):
        return (
            f"method.start cannot be {knobs.start} over a base that is stored as {stored.kind}; take zero or gaussian."
        )
    if getattr(knobs, "dora", False) and stored.kind == "int8":
        return "method.dora cannot be true over a base that is stored as int8; leave it out."
    if getattr(knobs, "loftq", False):
        return f"method.loftq needs the whole weights, and this checkpoint is stored as {stored.kind}; leave it out."
    return None
