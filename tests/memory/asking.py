"""The tracer and the rehearsal as the program runs them, and recipes for them."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from workbench.core.recipe import recipe_from_mapping, recipe_to_mapping


def ask(module, **what):
    """What an engine module prints for these words, as it is run by the program."""
    done = subprocess.run(
        [sys.executable, "-m", f"workbench.engine.{module}"], input=json.dumps(what), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


def trace(recipe, workspace: Path, kind: str, rows=None, masked=None):
    """The traced memory of a recipe on a device of this kind."""
    return ask(
        "trace", recipe=recipe_to_mapping(recipe), rows=asdict(rows) if rows else None, masked=masked,
        device={"kind": kind, "name": ""}, workspace=str(workspace),
    )  # fmt: skip


def recipe_for(model, method=None, length=512, batch=1, packing="auto", attention="auto", **training):
    """A recipe with these settings."""
    return recipe_from_mapping(
        {
            "model": {"path": str(model), "attention": attention},
            "data": {"max_length": length, "packing": packing},
            "method": method or {"name": "lora"},
            "training": {"micro_batch": batch, "effective_batch": batch, **training},
        }
    )
