"""Pfeiffer's adapters: one bottleneck a block."""

from __future__ import annotations

from workbench.core.methods.bottleneck import (
    BottleneckKnobs,
    block_sites,
    count_bottleneck,
    refuse_bottleneck,
)
from workbench.core.methods.method import Count, Method
from workbench.core.models.skeleton import Skeleton


def _count(skeleton: Skeleton, knobs: BottleneckKnobs) -> Count:
    return count_bottleneck(skeleton, knobs, block_sites(skeleton, knobs.layers))


def _refuse(skeleton: Skeleton, knobs: BottleneckKnobs) -> str | None:
    return refuse_bottleneck(skeleton, knobs, 1, "Pfeiffer's adapter", block_sites)


METHOD = Method(
    name="pfeiffer",
    title="Adapters (Pfeiffer)",
    what=(
        "One small network stands at the end of every block, half of what Houlsby's adapters need. "
        "It squeezes the block's output through a narrow bottleneck and adds the result to it. "
        "Adapters of this shape can be combined by AdapterFusion."
    ),
    equation="h ← h + W_up·σ(W_down·h) at the end of each block,   W_up = 0 at the start",
    paper="Pfeiffer et al., AdapterFusion: Non-Destructive Task Composition, 2021, arXiv 2005.00247",
    knobs=BottleneckKnobs,
    learning_rate=4e-4,
    by_width=True,
    trains="one small network in every block",
    merges=False,
    shares_base=True,
    formula="2·d·m + d + m for each block,   m = d / reduction",
    counting=_count,
    refusing=_refuse,
)
