"""Which methods are counted at once, and which only by building them in a process of the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.core.models.skeleton import Skeleton

if TYPE_CHECKING:
    from workbench.core.recipe import MethodSection


def is_counted(method: MethodSection, skeleton: Skeleton) -> bool:
    """Whether the method's count on this model, and its reason not to fit, are had without starting a process."""
    if method.name != "peft":
        return True
    from workbench.core.methods.peft import is_counted as is_tried

    return is_tried(skeleton, method.knobs)
