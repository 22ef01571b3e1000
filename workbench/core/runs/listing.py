"""Finding runs: every run of a workspace, and the one that a word means."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.core.errors import UserError
from workbench.core.places import Workspace
from workbench.core.recipe import Recipe, load_recipe
from workbench.core.runs.folder import RunFolder, Status


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run in one line."""

    folder: RunFolder
    status: Status | None
    recipe: Recipe | None
    problem: str | None
    """Why the recipe cannot be read, or None."""

    @property
    def state(self) -> str:
        return self.status.state if self.status else "lost"

    def to_json(self) -> dict[str, Any]:
        """The line as plain values; times in seconds."""
        status = self.status
        return {
            "run": self.folder.name,
            "state": self.state,
            "model": self.recipe.model.path if self.recipe else None,
            "method": self.recipe.method.name if self.recipe else None,
            "step": status.step if status else 0,
            "steps": status.steps if status else 0,
            "started": status.started if status else None,
            "seconds": status.seconds if status else 0.0,
        }


def summarise_run(folder: RunFolder) -> RunSummary:
    """The run's line."""
    try:
        recipe, problem = load_recipe(folder.recipe), None
    except UserError as error:
        recipe, problem = None, error.sentence
    return RunSummary(folder, folder.read_status(), recipe, problem)


def list_runs(workspace: Workspace) -> list[RunSummary]:
    """Every run of the workspace, newest first."""
    try:
        folders = [RunFolder(path) for path in workspace.runs.iterdir() if (path / "recipe.yaml").is_file()]
    except OSError:
        return []
    return sorted((summarise_run(folder) for folder in folders), key=_started, reverse=True)


def _started(run: RunSummary) -> float:
    try:
        return run.status.started if run.status else run.folder.path.stat().st_mtime
    except OSError:
        return 0.0


def find_run(word: str, workspace: Workspace) -> RunFolder:
    """The run that `word` means: a name, a unique prefix of one, `latest`, or a path. UserError otherwise."""
    if word == "latest":
        runs = list_runs(workspace)
        if not runs:
            raise UserError("There are no runs yet; start one with: workbench demo")
        return runs[0].folder
    exact = workspace.runs / word
    if "/" not in word and (exact / "recipe.yaml").is_file():
        return RunFolder(exact)
    path = Path(word).expanduser()
    if (path / "recipe.yaml").is_file() and ("/" in word or path.is_absolute()):
        return RunFolder(path.absolute())
    matches = sorted(item.name for item in workspace.runs.iterdir() if item.name.startswith(word)) if word else []
    matches = [name for name in matches if (workspace.runs / name / "recipe.yaml").is_file()]
    if len(matches) == 1:
        return RunFolder(workspace.runs / matches[0])
    if matches:
        raise UserError(f"{word} could be {', '.join(matches[:5])}; type more of the name.")
    raise UserError(f"There is no run named {word[:80]}; workbench runs lists them.")
