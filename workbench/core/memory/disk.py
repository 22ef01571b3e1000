"""What a run leaves on the disk."""

from __future__ import annotations

from workbench.core.memory.estimate import Estimate
from workbench.core.memory.numbers import BYTES, resolve_precision
from workbench.core.recipe import Recipe


def disk_needed(recipe: Recipe, estimate: Estimate) -> dict[str, int]:
    """Bytes of a checkpoint, of all that are kept while the next is written, of the result, and of a merged export."""
    trained = estimate.parts["adapters"] or estimate.parts["weights"]
    checkpoint = trained + estimate.optimizer
    kept = recipe.training.keep_checkpoints + 1 if recipe.training.checkpoint_every else 0
    whole = estimate.total_parameters * BYTES[resolve_precision(recipe, estimate.device.kind)]
    return {"checkpoint": checkpoint, "checkpoints": kept * checkpoint, "result": trained, "merged": whole}
