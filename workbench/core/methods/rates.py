"""Default learning rates: what a method takes on a model of a given width.

Trained matrices want smaller steps the wider the model is, vectors do not (Yang et al. 2022, Tensor Programs V, arXiv
2203.03466, table 3: Adam's rate goes with 1/width for hidden matrices and is constant for vectors). How fast it falls
in fine-tuning was fitted over Llama and Qwen models by Schulman et al. 2025, LoRA Without Regret,
thinkingmachines.ai/blog/lora: rate(width) = rate(2000) · (2000 / width)^p, with 5e-5 at 2,000 for full fine-tuning, ten
times that for LoRA, p = 0.781 for Llama and 0.0775 for Qwen.
"""

from __future__ import annotations

from workbench.core.models.skeleton import Skeleton

WIDTH = 2000
"""Width at which a method's own rate holds."""

EXPONENT = 0.781
"""Of Llama, which is taken for every other architecture too."""

EXPONENTS = {"qwen": 0.0775}
"""Of architectures that were fitted apart, by how their model type begins."""


def scaled_rate(rate: float, skeleton: Skeleton | None) -> float:
    """`rate`, which holds at `WIDTH`, on the skeleton's width; rounded to two figures. Unchanged without a skeleton."""
    if skeleton is None or skeleton.hidden_size < 1:
        return rate
    exponent = next((p for name, p in EXPONENTS.items() if skeleton.model_type.startswith(name)), EXPONENT)
    return float(f"{rate * (WIDTH / skeleton.hidden_size) ** exponent:.1e}")
