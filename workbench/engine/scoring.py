"""`python -m workbench.engine.scoring RUNFOLDER --recipe FILE`: base and result on held-out rows, as a JSON line.

The recipe is the run's, with the data to measure on. What comes out is what training measures before and after.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from workbench.core.errors import UserError
from workbench.core.places import Workspace, stay_in
from workbench.core.recipe import Recipe, load_recipe
from workbench.core.runs.folder import RunFolder, workspace_of
from workbench.engine.environment import prepare_environment
from workbench.engine.one_answer import answer_once, tell


def score_run(run: RunFolder, recipe: Recipe, workspace: Workspace) -> dict[str, Any]:
    """Held-out loss and score of the run's base and of its result, with the counts of rows; losses in nats a token.

    UserError where the data cannot be used, holds nothing out, or does not fit the model.
    """
    from workbench.core.data.dataset import prepare_data
    from workbench.core.data.files.hub import unfetched
    from workbench.engine.base_models import find_model_folder
    from workbench.engine.fetching import fetch_data
    from workbench.engine.generation.opening import BASE, TUNED, open_run
    from workbench.engine.prepare import model_skeleton
    from workbench.engine.train.batches import Collator
    from workbench.engine.train.evaluate import HeldOut
    from workbench.engine.train.numbers import choose_device, choose_numbers
    from workbench.engine.train.setup import check_fit

    for missing in unfetched(recipe.data, workspace):
        fetch_data(missing, workspace, tell)
    data = prepare_data(recipe, find_model_folder(recipe.model, workspace, tell), workspace=workspace)
    check_fit(data, model_skeleton(recipe.model, workspace, tell), int(recipe.method.knobs.get("virtual_tokens", 0)))
    opened = open_run(run.path, workspace, tell)
    numbers = choose_numbers(recipe, choose_device())
    training = recipe.training
    collator = Collator(data.tokenizer.pad_id)
    held_out = HeldOut(
        data, collator, training.micro_batch, training.score_rows, opened.stop_ids, numbers.autocast, lambda: None
    )
    if held_out.empty:
        raise UserError(f"No row of {recipe.data.source} is held out; set data.held_out to a share or a file.")
    found: dict[str, Any] = {"held_out_rows": len(data.held_out)}
    for name, loss, score in ((BASE, "base_loss", "base_score"), (TUNED, "held_out_loss", "score")):
        side = opened.sides[name]
        tell(f"Measuring the {name} model")
        side.switch()
        measured = held_out.measure(side.model, score=True)
        found |= {loss: measured.loss, score: measured.score, "scored": measured.scored or None}
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m workbench.engine.scoring", description=__doc__)
    parser.add_argument("run", help="the run's folder")
    parser.add_argument("--recipe", required=True, help="its recipe, with the data to measure on")
    arguments = parser.parse_args()

    def score() -> dict[str, Any]:
        recipe = load_recipe(Path(arguments.recipe))
        prepare_environment(recipe.training.threads)
        run = RunFolder(Path(arguments.run).absolute())
        workspace = workspace_of(run)
        stay_in(workspace)
        return score_run(run, recipe, workspace)

    return answer_once(score, "The measurement", "The memory ran out; lower training.micro_batch.")


if __name__ == "__main__":
    raise SystemExit(main())
