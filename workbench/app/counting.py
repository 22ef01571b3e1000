"""Methods whose parameters are counted by building them: done by the helper, so that the app goes on meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.core.recipe import MethodSection

if TYPE_CHECKING:
    from workbench.core.models.skeleton import Skeleton

COUNTING = "Building this kind on the model, without weights, to count what it trains"


def is_counted(method: MethodSection, skeleton: Skeleton) -> bool:
    """Whether the method's count, and its reason not to fit, are had at once."""
    if method.name != "peft":
        return True
    from workbench.core.methods.peft import is_counted as is_tried

    return is_tried(skeleton, method.knobs)
