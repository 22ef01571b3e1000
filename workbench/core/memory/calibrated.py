"""The verdict as past measurements on this machine would have it."""

from __future__ import annotations

from workbench.core.memory.estimate import Estimate, judge
from workbench.core.memory.experience import Experience

NEAR = 8.0
"""How many times larger or smaller a measured run may be and still say something: small ones are mostly context."""


def verdict_here(estimate: Estimate, experience: Experience) -> str:
    """fits, tight or does not fit, by the band of past errors on this device; the formula's where there are none near.

    The middle error moves what is expected, the largest one the upper end.
    """
    ratios = sorted(
        one.measured / one.predicted
        for one in experience.compared
        if 1 / NEAR <= one.predicted / max(1, estimate.predicted) <= NEAR
    )
    if not ratios:
        return estimate.verdict
    context = estimate.process - estimate.predicted  # none on a CPU, where the whole process is measured
    expected = int(estimate.predicted * ratios[len(ratios) // 2]) + context
    highest = int(estimate.predicted * ratios[-1]) + context
    return judge(expected, highest, estimate.device)
