"""workbench import: an adapter that was trained elsewhere, as a run that can be chatted with, compared and fused."""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import time
from pathlib import Path

from workbench.cli.engine import last_line, run_engine
from workbench.cli.page import say, say_json
from workbench.cli.recipes import anchor_path
from workbench.core.errors import RunFailedError, UserError
from workbench.core.places import find_workspace
from workbench.core.recipe import ModelSection, Recipe
from workbench.core.runs.facts import describe_run
from workbench.core.runs.folder import Status
from workbench.core.runs.launch import create_run
from workbench.core.words import count_text, share_text, visible_text


def run(given: argparse.Namespace) -> int:
    """Take the adapter over."""
    folder = Path(given.folder).expanduser().absolute()
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}; name one with an adapter_config.json.")
    model = anchor_path(given.model)
    made = create_run(Recipe(model=ModelSection(path=model)), find_workspace(given.workspace), given.name)
    try:
        arguments = [str(folder), "--model", model, "--run", str(made.path)]
        said = run_engine("workbench.engine.adopt", arguments, "Nothing was taken over.", capture=True)
        facts = json.loads(last_line(said))
        now = time.time()
        made.write_status(Status("finished", 0, 0.0, socket.gethostname(), 0, 0, now, now, 0.0))
    except BaseException as error:
        shutil.rmtree(made.path, ignore_errors=True)
        if isinstance(error, ValueError):
            raise RunFailedError("The import did not say what it took over.") from None
        raise
    if given.json:
        say_json({**describe_run(made), "path": str(made.path)})
        return 0
    count = f"{count_text(facts['trainable_parameters'])} parameters ({share_text(facts['share'])})"
    say(f"The run {made.name} holds the adapter {visible_text(folder.name)}: {count}.")
    say(f"Measure it with: workbench score {made.name} --data DATA (or --like RUN)")
    say(f"Talk to it with: workbench chat {made.name}")
    return 0
