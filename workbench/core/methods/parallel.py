"""The parallel adapter: a bottleneck beside the feed-forward."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.core.knobs import knob
from workbench.core.methods.bottleneck import (
    BottleneckKnobs,
    count_bottleneck,
    feed_forward_sites,
    refuse_bottleneck,
)
from workbench.core.methods.method import Count, Method
from workbench.core.methods.roles import norms_before_feed_forward
from workbench.core.models.skeleton import Skeleton


@dataclass(frozen=True, slots=True)
class ParallelKnobs(BottleneckKnobs):
    """Knobs of the parallel adapter: a bottleneck's, and what it reads."""

    reads: str = knob(
        "normed", "What the adapter reads: what the feed-forward reads (normed), or that before its norm (stream), as "
        "AdapterHub has it.",
        choices=("normed", "stream"),
    )  # fmt: skip


def _count(skeleton: Skeleton, knobs: ParallelKnobs) -> Count:
    return count_bottleneck(skeleton, knobs, feed_forward_sites(skeleton, knobs.layers))


def _refuse(skeleton: Skeleton, knobs: ParallelKnobs) -> str | None:
    reason = refuse_bottleneck(skeleton, knobs, 1, "The parallel adapter", feed_forward_sites)
    sites = () if reason else feed_forward_sites(skeleton, knobs.layers)
    if knobs.reads == "stream" and not all(norms_before_feed_forward(skeleton, sites)):
        return (
            "method.reads cannot be stream: this model shows no norm of its own before each feed-forward; take normed."
        )
    return reason


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
    knobs=ParallelKnobs,
    learning_rate=6e-4,
    by_width=True,
    trains="one small network beside every feed-forward",
    merges=False,
    shares_base=True,
    formula="2·d·m + d + m for each block,   m = d / reduction",
    counting=_count,
    refusing=_refuse,
)
