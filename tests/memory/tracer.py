"""`python tracer.py`: trace one recipe after another in one process, so that the libraries are imported once.

It is a process of its own, since the device that stands in for a GPU must be known before anything trains in it. Reads a
JSON line for each, {"recipe", "rows", "kind", "whole", "uneven", "loop"}, and prints the peak, or {"error": its words}.
"""

import dataclasses
import json
import sys
from pathlib import Path

from workbench.engine.environment import prepare_environment


def uneven(*_):
    """Two turns of a pattern that differ."""
    from workbench.engine.trace.layers import UnevenError

    raise UnevenError


def trace(asked):
    from workbench.core.memory.loop import Loop
    from workbench.core.memory.row_shape import RowShape
    from workbench.core.recipe import recipe_from_mapping
    from workbench.engine.skeletons import build_skeleton
    from workbench.engine.trace import tracing

    recipe = recipe_from_mapping(asked["recipe"])
    loop = Loop(**asked["loop"])
    kept = tracing.repeat_turns
    tracing.repeat_turns = uneven if asked["uneven"] else kept
    try:
        skeleton, rows = build_skeleton(Path(recipe.model.path)), RowShape(**asked["rows"])
        if asked["uneven"] is None:  # no second try where the layers differ
            return tracing._trace(recipe, skeleton, rows, asked["kind"], "", loop, asked["whole"])
        return tracing.trace_recipe(recipe, skeleton, rows, asked["kind"], loop=loop, whole=asked["whole"])[0]
    finally:
        tracing.repeat_turns = kept


if __name__ == "__main__":
    prepare_environment(1, True)
    for line in sys.stdin:
        try:
            answer = dataclasses.asdict(trace(json.loads(line)))
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)
