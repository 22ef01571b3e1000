"""`python -m workbench.engine.trace`: trace one recipe's memory in a process of its own.

Reads {"recipe", "rows": {"tokens", "trained"} or null, "device": {"kind", "name"}, "workspace"} on standard input,
and perhaps "loop": another trainer's, or "masked": whether rows of one batch differ in length. Prints one JSON line:
`workbench.core.memory.traced.Traced`. Errors are one sentence on standard error: exit status 2 where the recipe
cannot be traced, 1 where the tracer itself failed.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from pathlib import Path
from typing import Any


def main() -> int:
    """Trace what standard input says."""
    began = time.perf_counter()
    asked = json.loads(sys.stdin.read())
    from workbench.core.errors import UserError
    from workbench.core.places import Workspace
    from workbench.core.recipe import recipe_from_mapping
    from workbench.engine.environment import be_nice, needs_bitsandbytes, prepare_environment

    be_nice()
    try:
        recipe = recipe_from_mapping(asked["recipe"])
        prepare_environment(1, needs_bitsandbytes(recipe, Workspace(Path(asked["workspace"]))))
        document = _trace(recipe, asked)
    except UserError as error:
        sys.stderr.write(f"{error.details}\n{error.sentence}\n")
        return 2
    except Exception as error:
        import traceback

        traceback.print_exc()
        first = next(iter(str(error).strip().splitlines()), "")[:160]
        sys.stderr.write(f"This recipe cannot be traced ({type(error).__name__}: {first}).\n")
        return 1
    document["seconds"] = round(time.perf_counter() - began, 2)
    sys.stdout.write(json.dumps(document) + "\n")
    return 0


def _trace(recipe: Any, asked: dict[str, Any]) -> dict[str, Any]:
    import torch

    from workbench.core.memory.estimate import row_limit
    from workbench.core.memory.loop import loop_from_mapping
    from workbench.core.memory.row_shape import RowShape
    from workbench.core.memory.traced import Traced
    from workbench.core.places import Workspace
    from workbench.engine.prepare import model_skeleton
    from workbench.engine.trace.tracing import trace_recipe

    torch.set_num_threads(1)
    workspace = Workspace(Path(asked["workspace"]))
    skeleton = model_skeleton(recipe.model, workspace, lambda _: None)
    given = asked.get("rows")
    rows = row_limit(recipe, RowShape(int(given["tokens"]), int(given["trained"])) if given else None)
    gc.freeze()  # imports leave a million objects that no collection need look at again
    device = asked["device"]
    loop = loop_from_mapping(asked.get("loop") or {"masked": asked.get("masked")})
    peak, _ = trace_recipe(recipe, skeleton, rows, device["kind"], device.get("name", ""), loop)
    return Traced(
        allocated=peak.allocated,
        reserved=peak.reserved,
        parts=peak.parts,
        peak_at=peak.phase,
        operation=peak.operation,
        module=peak.module,
        largest=peak.largest,
        seconds=0.0,
    ).to_json()


if __name__ == "__main__":
    raise SystemExit(main())
