"""Where things are: what ships inside the package, and the workspace that holds a person's runs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from workbench.core.errors import UserError

HOME = "WORKBENCH_HOME"
"""The environment variable that names the workspace where no option does."""

PACKAGE = Path(__file__).resolve().parent.parent


def tiny_folder() -> Path:
    """The bundled base model `tiny`: a Transformers model folder."""
    return PACKAGE / "bundled" / "tiny"


def sample_folder() -> Path:
    """The bundled sample data: inside an installed package, or beside the package in a checkout."""
    installed = PACKAGE / "sample_data"
    return installed if installed.is_dir() else PACKAGE.parent / "sample_data"


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folder that holds runs and caches; every path below it is made on first use."""

    root: Path

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def last_recipe(self) -> Path:
        """The recipe that the app had open last."""
        return self.root / "last-recipe.yaml"


def stay_in(workspace: Workspace) -> None:
    """Let this process, and every one that it starts, find that workspace where none is named."""
    os.environ[HOME] = str(workspace.root.absolute())


def find_workspace(given: str | Path | None = None) -> Workspace:
    """The workspace: `given`, else WORKBENCH_HOME, else the platform's user data folder; made if missing.

    Raises UserError where it cannot be made or written.
    """
    chosen = given or os.environ.get(HOME)
    if chosen:
        root = Path(chosen).expanduser().absolute()
    else:
        from platformdirs import user_data_path

        root = user_data_path("workbench", appauthor=False)
    try:
        (root / "runs").mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UserError(f"The workspace {root} is a file; name a folder with --workspace or WORKBENCH_HOME.") from None
    except OSError as error:
        raise UserError(
            f"The workspace {root} cannot be made ({error.strerror}); name another with --workspace or WORKBENCH_HOME."
        ) from None
    if not os.access(root / "runs", os.W_OK | os.X_OK):
        raise UserError(f"The workspace {root} cannot be written; name another with --workspace or WORKBENCH_HOME.")
    return Workspace(root)
