"""LLaMA-Adapter: prompts inside the attention, behind a gate that starts closed."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.core.knobs import knob
from workbench.core.methods.method import Count, Method
from workbench.core.methods.roles import blocks
from workbench.core.methods.shared_knobs import double_quantisation_knob, quantisation_knob
from workbench.core.models.skeleton import Skeleton

MODEL_TYPES = ("llama", "mistral", "gpt2", "qwen2", "qwen3", "gemma")
"""Model types whose attention it can be put into."""


@dataclass(frozen=True, slots=True)
class LlamaAdapterKnobs:
    """Knobs of LLaMA-Adapter."""

    length: int = knob(10, "Trained vectors in each layer's attention.", low=1, high=4096, unit="tokens")
    top_layers: int | None = knob(None, "Layers that get them, counted from the last; null takes all.", low=1)
    quantisation: str = quantisation_knob()
    double_quantisation: bool = double_quantisation_knob()


def adapted_layers(skeleton: Skeleton, knobs: LlamaAdapterKnobs) -> int:
    """How many layers get an adapter."""
    return skeleton.layers if knobs.top_layers is None else knobs.top_layers


def _count(skeleton: Skeleton, knobs: LlamaAdapterKnobs) -> Count:
    """K vectors and a gate in each of the topmost L layers (section 3.1)."""
    each = knobs.length * skeleton.hidden_size + 1
    names = [name for _, name in blocks(skeleton)][-adapted_layers(skeleton, knobs) :]
    return Count(tuple((name, each) for name in names), added=True)


def _refuse(skeleton: Skeleton, knobs: LlamaAdapterKnobs) -> str | None:
    if skeleton.model_type not in MODEL_TYPES:
        return (
            f"LLaMA-Adapter knows the attention of {', '.join(MODEL_TYPES)}, and this model is of type "
            f"{skeleton.model_type}; choose prefix tuning, which is its nearest relative."
        )
    if adapted_layers(skeleton, knobs) > skeleton.layers:
        return f"method.top_layers cannot be {knobs.top_layers}; the model has {skeleton.layers} layers."
    return None


METHOD = Method(
    name="llama-adapter",
    title="LLaMA-Adapter",
    what=(
        "In each layer the attention also looks at a few trained vectors. "
        "A gate decides how much of them comes through, and starts closed, so training starts at the base. "
        "It trains a few vectors and one gate a layer."
    ),
    equation="h = attention(q, k, v) + g·softmax(q·K_pᵀ/√d)·V_p,   g = 0 at the start",
    paper="Zhang et al., LLaMA-Adapter: Efficient Fine-tuning with Zero-init Attention, 2023, arXiv 2303.16199",
    knobs=LlamaAdapterKnobs,
    learning_rate=1e-2,
    trains="vectors inside each layer's attention, and a gate",
    merges=False,
    shares_base=True,
    formula="K·d + 1 for each adapted layer,   K vectors",
    counting=_count,
    refusing=_refuse,
)
