"""The parallel adapter: a bottleneck beside the feed-forward."""

from __future__ import annotations

from workbench.core.methods.bottleneck import (
    BottleneckKnobs,
    bottleneck_kept,
    count_bottleneck,
    feed_forward_sites,
    refuse_bottleneck,
)
from workbench.core.methods.method import Count, Method
from workbench.core.models.skeleton import Skeleton


def _count(skeleton: Skeleton, knobs: BottleneckKnobs) -> Count:
    return count_bottleneck(skeleton, knobs, feed_forward_sites(skeleton, knobs.layers))


def _refuse(skeleton: Skeleton, knobs: BottleneckKnobs) -> str | None:
    return refuse_bottleneck(skeleton, knobs, 1, "The parallel adapter", feed_forward_sites)


def _kept(skeleton: Skeleton, knobs: BottleneckKnobs) -> float:
    return bottleneck_kept(skeleton, knobs, feed_forward_sites(skeleton, knobs.layers))


METHOD = Method(
    name="parallel",
    title="Adapters (parallel)",
    what=(
        "A small network stands beside every feed-forward and reads the same input. "
        "What both give is added up, so the adapter need not wait for the feed-forward. "
        "At the same size it often learns better than an adapter behind the feed-forward."
    ),
    equation="h = FFN(x) + s·W_up·σ(W_down·x),   W_up = 0 at the start",
    paper="He et al., Towards a Unified View of Parameter-Efficient Transfer Learning, 2022, arXiv 2110.04366",
    knobs=BottleneckKnobs,
    learning_rate=6e-4,
    by_width=True,
    trains="one small network beside every feed-forward",
    formula="2·d·m + d + m for each block, m = d / reduction",
    merges=False,
    shares_base=True,
    counting=_count,
    refusing=_refuse,
    keeping=_kept,
)
