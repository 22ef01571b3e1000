"""`python -m workbench.engine.rehearsal`: two real steps of a recipe with its longest rows, measured.

Reads {"recipe", "workspace"} on standard input; prints JSON lines: {"progress"} in words while it goes on, and at the
end what was predicted and measured, in bytes, and the speed. No run folder is made and nothing is kept of the model.
Errors are one sentence on standard error: exit status 2 where the recipe cannot be used, 1 where the steps failed.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

STEPS = 2
"""Optimizer steps: an optimizer's states are there from the second on."""

COUNTED = 1
"""Further steps on a CPU, in which every allocation is counted: counting takes memory and time of its own."""


def main() -> int:
    """Rehearse what standard input says."""
    asked = json.loads(sys.stdin.read())
    from workbench.core.errors import RunFailedError, UserError
    from workbench.core.places import Workspace
    from workbench.core.recipe import recipe_from_mapping
    from workbench.engine.environment import be_nice, needs_bitsandbytes, prepare_environment

    be_nice()
    try:
        recipe = recipe_from_mapping(asked["recipe"])
        workspace = Workspace(Path(asked["workspace"]))
        prepare_environment(recipe.training.threads, needs_bitsandbytes(recipe, workspace))
        document = _rehearse(recipe, Path(asked["workspace"]))
    except (UserError, RunFailedError) as error:
        sys.stderr.write(f"{error.details}\n{error.sentence}\n")
        return 2 if isinstance(error, UserError) else 1
    except Exception as error:
        import traceback

        from workbench.engine.failures import sentence_for

        traceback.print_exc()
        sys.stderr.write(f"{sentence_for(error)}\n")
        return 1
    sys.stdout.write(json.dumps(document) + "\n")
    return 0


def _say(text: str) -> None:
    """Print what is going on."""
    sys.stdout.write(json.dumps({"progress": text}) + "\n")
    sys.stdout.flush()


def _rehearse(recipe: Any, root: Path) -> dict[str, Any]:
    """The last JSON line above."""
    import torch

    from workbench.core.places import Workspace
    from workbench.core.runs.folder import RunFolder
    from workbench.engine.train.setup import Phases

    _say("Reading the data")
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    gc.freeze()
    parent = Workspace(root).cache / "rehearsals"
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent) as place:
        return rehearse(recipe, RunFolder(Path(place)), Workspace(root), Phases())


def rehearse(recipe: Any, folder: Any, workspace: Any, phases: Any) -> dict[str, Any]:
    """Two steps by the trainer's own parts, with the longest rows first and nothing evaluated."""
    from dataclasses import asdict

    from workbench.core.memory.row_shape import row_shape
    from workbench.engine.methods import method_callbacks
    from workbench.engine.train.batches import Collator, OrderedRows
    from workbench.engine.train.journal import Journal
    from workbench.engine.train.loop import RunTrainer, StepFigures, trainer_arguments
    from workbench.engine.train.numbers import choose_device, choose_numbers
    from workbench.engine.train.peak import CountedTensors, PeakMemory
    from workbench.engine.train.probe import keeps_logits
    from workbench.engine.train.setup import apply_method, load_model, prepare

    numbers = choose_numbers(recipe, choose_device())
    prepared = prepare(recipe, folder, numbers, phases, workspace)
    peak = PeakMemory(numbers.device)
    _say("Loading the model")
    model = load_model(recipe, prepared, numbers)
    kept = keeps_logits(model)
    model = apply_method(model, recipe, prepared, Journal(folder.path / "events.jsonl"))
    lengths = [len(row) for row in prepared.data.train]
    longest = sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True)
    packed = recipe.data.packing is True
    size = recipe.training.effective_batch
    if packed:
        from workbench.engine.train.order import order_rows

        sequences = list(order_rows(lengths, recipe).sequences)
    else:
        sequences = [(index,) for index in longest[:size]]
    steps = STEPS + (COUNTED if numbers.device.type == "cpu" else 0)
    sequences = (sequences * (steps * size))[: steps * size]
    counted = CountedTensors(numbers.device)
    seen: dict[str, Any] = {"began": 0.0, "speed": None, "measured": {}}

    def after_step(figures: StepFigures) -> bool:
        now = time.perf_counter()
        _say(f"Step {figures.step} of {steps} is done")
        if figures.step == STEPS:
            seen["speed"] = round(figures.tokens / (now - seen["began"]), 1)
            seen["measured"] = peak.read()
            if steps > STEPS:
                trainer.optimizer.zero_grad(set_to_none=True)
                counted.start(trainer.model, trainer.optimizer)
        seen["began"] = now
        return False

    trainer = RunTrainer(
        recipe=recipe,
        after_step=after_step,
        model=model,
        args=trainer_arguments(
            recipe, numbers, steps, recipe.accumulation, folder.path, recipe.learning_rate_on(prepared.skeleton)
        ),
        data_collator=Collator(prepared.data.tokenizer.pad_id, packed=packed, keeps_logits=kept),
        train_dataset=OrderedRows(prepared.data.train, sequences),
        callbacks=[one for one in method_callbacks(model, recipe) if recipe.method.name != "adalora"],
    )
    peak.restart()
    seen["began"] = time.perf_counter()
    _say("Starting the steps")
    trainer.train()
    counted.stop()
    measured = seen["measured"]
    estimate = prepared.estimate
    rows = row_shape(prepared.data.report)
    return {
        "device": prepared.device.to_json(),
        "model": recipe.model.path,
        "method": recipe.method.name,
        "longest_row": asdict(rows) if rows else None,
        "predicted": {"allocated": estimate.allocated, "reserved": estimate.reserved, "process": estimate.process},
        "measured": {**measured, "allocated": measured["allocated"] or counted.peak},
        "tokens_per_second": seen["speed"],
    }


if __name__ == "__main__":
    raise SystemExit(main())
