"""What a run has brought forth, found without torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from workbench.core.errors import UserError
from workbench.core.recipe import Recipe, load_recipe
from workbench.core.runs.folder import RunFolder


@dataclass(frozen=True, slots=True)
class Result:
    """What a run has brought forth so far."""

    folder: Path
    """A PEFT adapter's folder, or a Transformers model's."""
    is_adapter: bool
    step: int | None
    """The checkpoint's step where the run has no final result yet."""


def find_result(run: RunFolder) -> Result:
    """The run's adapter or model, else its newest checkpoint's; UserError where there is neither."""
    found = run.result
    if found is not None:
        return Result(found, _is_adapter(found), None)
    checkpoint = run.newest_checkpoint()
    if checkpoint is not None:
        for folder in (checkpoint, checkpoint / "adapter", checkpoint / "model"):
            if _is_adapter(folder) or any(folder.glob("model*.safetensors")):
                return Result(folder, _is_adapter(folder), int(checkpoint.name.removeprefix("step-")))
    status = run.read_status()
    state = f" (it is {status.state})" if status else ""
    raise UserError(f"The run {run.name} has no result and no checkpoint yet{state}; wait for one, or train it again.")


def _is_adapter(folder: Path) -> bool:
    return (folder / "adapter_config.json").is_file()


def read_run(path: str | Path) -> tuple[RunFolder, Recipe]:
    """A run's folder and recipe; UserError where it is not one."""
    folder = RunFolder(Path(path).absolute())
    if not folder.recipe.is_file():
        raise UserError(f"There is no run at {folder.path}; name the folder of one.")
    return folder, load_recipe(folder.recipe)
