"""workbench pretrain tiny: the bundled base model made again, in a process of the engine."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from workbench.cli.engine import last_line, run_engine
from workbench.cli.page import say_json
from workbench.core.errors import RunFailedError

PASSED_ON = ("seed", "steps", "documents", "checkpoint_every", "threads")


def run(given: argparse.Namespace) -> int:
    """Pretrain, its progress as it comes; with --json only its last word."""
    place = Path(given.to).expanduser().absolute()
    arguments = ["--to", str(place)]
    for name in PASSED_ON:
        value = getattr(given, name)
        if value is not None:
            arguments += [f"--{name.replace('_', '-')}", str(value)]
    arguments += ["--resume"] if given.resume else []
    arguments += ["--json"] if given.json else []
    going_on = f"Nothing goes on; to take it up again: workbench pretrain tiny --to {given.to} --resume"
    printed = run_engine("workbench.engine.pretrain", arguments, going_on, capture=given.json)
    if given.json:
        try:
            say_json(json.loads(last_line(printed)))
        except ValueError:
            raise RunFailedError("The pretraining left no final word.") from None
    return 0
