"""What each of several GPUs would hold: an estimate alone, for people who take the recipe to a cluster.

After ZeRO (Rajbhandari et al. 2020, arXiv 1910.02054, section 5): stage 1 shares out the optimizer's states, stage 2
the gradients too, stage 3 (and FSDP) the weights too, of which each GPU then gathers a block, and the next one, when
it comes to it. DDP (Li et al. 2020, arXiv 2006.15704, section 4) shares out nothing and holds the gradients a second
time in its buckets. Nothing of this has been measured here.
"""

from __future__ import annotations

from math import ceil

from workbench.core.memory.estimate import Estimate
from workbench.core.models.skeleton import Skeleton

SHARED = {
    "ddp": (),
    "zero1": ("optimizer",),
    "zero2": ("optimizer", "gradients"),
    "zero3": ("optimizer", "gradients", "weights", "adapters"),
    "fsdp": ("optimizer", "gradients", "weights", "adapters"),
}
"""The parts that each way shares out evenly."""

GATHERED = 2
"""Blocks that are whole on every GPU at a time: the one in work, and the next, which is fetched meanwhile."""


def shard(estimate: Estimate, skeleton: Skeleton, world_size: int, sharding: str) -> dict[str, int]:
    """Bytes of each part on one of `world_size` GPUs, and `allocated` in all; micro-batch as in the recipe."""
    parts = dict(estimate.parts)
    if world_size > 1:
        whole = parts["weights"]
        for name in SHARED[sharding]:
            parts[name] = ceil(parts[name] / world_size)
        if sharding == "ddp":
            parts["buffers"] += estimate.gradients
        if "weights" in SHARED[sharding]:
            largest = max((module.size for module in skeleton.modules if module.layer is None), default=0)
            block = sum(module.size for module in skeleton.modules if module.layer == 0)
            each = whole / max(1, skeleton.total_parameters)
            parts["buffers"] += int(each * max(largest, GATHERED * block))
    return {**parts, "allocated": sum(size for name, size in parts.items() if name != "context")}
