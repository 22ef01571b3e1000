"""The terminal app. It reads run folders and talks to the helper; torch is never imported here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.core.places import Workspace
    from workbench.core.recipe import Recipe


def run_app(workspace: Workspace, recipe: Recipe | None = None) -> int:
    """Open the app on a workspace until the person leaves; with `recipe`, that one instead of the last.

    Returns the exit status. UserError where there is no terminal to draw on.
    """
    import sys

    from workbench.app.environment import prepare_environment
    from workbench.core.errors import UserError

    if not (sys.stdin.isatty() and sys.__stderr__ is not None and sys.__stderr__.isatty()):
        raise UserError("The app needs a terminal; the commands do without: workbench --help lists them.")
    prepare_environment()
    from workbench.app.workbench_app import WorkbenchApp

    app = WorkbenchApp(workspace, recipe)
    app.run()
    return app.return_code or 0


__all__ = ["run_app"]
