"""QLoRA: LoRA over a quantised, frozen base."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.core.knobs import knob
from workbench.core.methods.lora import FROM_WEIGHTS, LoraKnobs, count_lora, refuse_lora
from workbench.core.methods.method import Count, Method
from workbench.core.models.skeleton import Skeleton


@dataclass(frozen=True, slots=True)
class QloraKnobs(LoraKnobs):
    """Knobs of QLoRA: LoRA's, and how the base is quantised."""

    quantisation: str = knob("nf4", "Numbers that the frozen base is stored in.", choices=("nf4", "fp4", "int8"))
    loftq: bool = knob(False, "Start the updates so that they undo the quantisation error (LoftQ; 4-bit only).")
    double_quantisation: bool = knob(
        True, "Quantise the scales of the 4-bit blocks too, which saves 0.37 bits a parameter."
    )


def _count(skeleton: Skeleton, knobs: QloraKnobs) -> Count:
    return count_lora(skeleton, knobs)


def _refuse(skeleton: Skeleton, knobs: QloraKnobs) -> str | None:
    if knobs.start in (*FROM_WEIGHTS, "orthogonal"):
        return f"method.start cannot be {knobs.start} over a quantised base; take zero or gaussian, or method.loftq."
    if knobs.quantisation == "int8" and knobs.dora:
        return "method.dora cannot be true over an int8 base; set method.quantisation to nf4 or fp4."
    if knobs.loftq and (knobs.quantisation != "nf4" or knobs.start != "zero" or knobs.dora):
        return "method.loftq needs method.quantisation nf4, method.start zero and no DoRA."
    return refuse_lora(skeleton, knobs)


METHOD = Method(
    name="qlora",
    title="QLoRA",
    what=(
        "The frozen base is squeezed into 4-bit NormalFloat numbers, in blocks of 64 that share a scale. "
        "LoRA matrices in full precision are trained beside it, through the quantised weights. "
        "A base four times smaller leaves room for a model that would not fit."
    ),
    equation="h = dequantise(W₄)·x + (α/r)·B·A·x",
    paper="Dettmers et al., QLoRA: Efficient Finetuning of Quantized LLMs, 2023, arXiv 2305.14314",
    knobs=QloraKnobs,
    learning_rate=5e-4,
    by_width=True,
    trains="two thin matrices beside each target layer, over a base in 4-bit or 8-bit numbers",
    formula="r·(in + out) for each target, as LoRA's; the quantised base adds none",
    merges=True,
    shares_base=True,
    counting=_count,
    refusing=_refuse,
)
