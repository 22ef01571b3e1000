"""Houlsby's adapters: two bottlenecks a block."""

from __future__ import annotations

from workbench.core.methods.bottleneck import (
    BottleneckKnobs,
    count_bottleneck,
    houlsby_sites,
    refuse_bottleneck,
)
from workbench.core.methods.method import Count, Method
from workbench.core.models.skeleton import Skeleton


def _count(skeleton: Skeleton, knobs: BottleneckKnobs) -> Count:
    return count_bottleneck(skeleton, knobs, houlsby_sites(skeleton, knobs.layers))


def _refuse(skeleton: Skeleton, knobs: BottleneckKnobs) -> str | None:
    return refuse_bottleneck(skeleton, knobs, 2, "Houlsby's adapter", houlsby_sites)


METHOD = Method(
    name="houlsby",
    title="Adapters (Houlsby)",
    what=(
        "Small networks are put into every block, one behind the attention and one behind the feed-forward. "
        "Each squeezes its input through a narrow bottleneck and adds the result to it. "
        "Only they are trained, and they stay in the model when it answers."
    ),
    equation="h ← h + W_up·σ(W_down·h),   W_down: m×d,  W_up: d×m,   W_up = 0 at the start",
    paper="Houlsby et al., Parameter-Efficient Transfer Learning for NLP, 2019, arXiv 1902.00751",
    knobs=BottleneckKnobs,
    learning_rate=4e-4,
    by_width=True,
    trains="two small networks in every block",
    merges=False,
    shares_base=True,
    formula="2·(2·d·m + d + m) for each block,   m = d / reduction",
    counting=_count,
    refusing=_refuse,
)
