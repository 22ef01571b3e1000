"""workbench train: a recipe checked, then trained in a process of its own."""

from __future__ import annotations

import argparse
import shutil
from itertools import islice
from pathlib import Path

from workbench.cli.command import StoppedError
from workbench.cli.models import fetch_data, find_folder, find_skeleton
from workbench.cli.page import say, say_aside, say_json
from workbench.cli.recipes import open_recipe
from workbench.cli.watch import watch
from workbench.core.data.dataset import encode_conversations, prepare_data, read_data
from workbench.core.data.files.hub import fetched_folder, hub_data
from workbench.core.data.files.sources import find_source
from workbench.core.data.templates.render import choose_template
from workbench.core.data.tokens.tokenizer import open_tokenizer
from workbench.core.errors import UserError
from workbench.core.places import Workspace, find_workspace
from workbench.core.recipe import Recipe
from workbench.core.runs.facts import describe_run
from workbench.core.runs.folder import RunFolder
from workbench.core.runs.launch import create_run, launch_run
from workbench.core.runs.named import with_runs_found
from workbench.core.runs.names import check_name

LARGE = 20_000_000
"""Bytes of data beyond which only the first rows are tokenised before the start; the trainer meets the rest."""

FIRST = 512
"""Those first rows."""


def run(given: argparse.Namespace) -> int:
    """Train; exit status 1 where the run failed."""
    try:
        workspace = find_workspace(given.workspace)
        recipe = with_runs_found(open_recipe(given.recipe, given.settings), workspace)
        check_run(recipe, workspace, given.name)
        folder = start_run(recipe, workspace, given.name)
    except KeyboardInterrupt:
        raise StoppedError("Stopped before the run was started.") from None
    if given.detach:
        if given.json:
            say_json({**describe_run(folder), "path": str(folder.path)})
        else:
            say(f"The run {folder.name} has begun; to follow it: workbench watch {folder.name}")
        return 0
    if not given.json:
        say(f"The run {folder.name} has begun. ctrl-c leaves it running.")
    watch(folder, given.json)
    return 0


def check_run(recipe: Recipe, workspace: Workspace, name: str | None) -> None:
    """UserError where a run of `recipe` could not begin: its name, its model, its method or its data."""
    if name is not None:
        check_name(name)
        if (workspace.runs / name).exists():
            raise UserError(f"There is already a run named {name}; choose another name.")
    folder = find_folder(recipe.model, workspace)
    recipe.method.facts.count(find_skeleton(recipe.model, workspace), recipe.method.knobs)
    fetch_data(recipe, workspace)
    check_data(recipe, folder, workspace)


def check_data(recipe: Recipe, folder: Path, workspace: Workspace) -> None:
    """UserError where the data cannot be read, rendered or trained on; what should be known goes to standard error."""
    hub = hub_data(recipe.data.source, recipe.data)
    place = find_source(recipe.data.source) if hub is None else fetched_folder(hub, workspace)
    files = [place] if place.is_file() else [file for file in place.rglob("*") if file.is_file()]
    if sum(file.stat().st_size for file in files) <= LARGE:
        for notice in prepare_data(recipe, folder, workspace=workspace).notices:
            say_aside(notice)
        return
    data = read_data(recipe.data, workspace=workspace)
    usable = list(islice((item for _, item in data.pairs() if item.problem is None), FIRST))
    if not usable:
        raise UserError(f"No row of {recipe.data.source} can be trained on; workbench inspect says why.")
    encode_conversations(usable, choose_template(open_tokenizer(folder), recipe.data.template), recipe.data.train_on)


def start_run(recipe: Recipe, workspace: Workspace, name: str | None) -> RunFolder:
    """A run folder with its trainer started; no folder is left behind where the trainer cannot be."""
    folder = create_run(recipe, workspace, name)
    try:
        launch_run(folder)
    except BaseException as error:
        shutil.rmtree(folder.path, ignore_errors=True)
        if isinstance(error, OSError):
            raise UserError(f"The trainer cannot be started ({error.strerror}).") from None
        raise
    return folder
