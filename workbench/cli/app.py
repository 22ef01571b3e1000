"""workbench without a command: the app."""

from __future__ import annotations

import argparse

from workbench.core.places import find_workspace
from workbench.core.recipe import Recipe


def run(given: argparse.Namespace) -> int:
    """Open the app."""
    return open_app(given.workspace, None)


def open_app(workspace: str | None, recipe: Recipe | None) -> int:
    """Open the app in a workspace, on `recipe` or where it was left; UserError where there is no terminal."""
    from workbench.app import run_app

    return run_app(find_workspace(workspace), recipe)
