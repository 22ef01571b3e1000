"""workbench export: a run's result in a folder of its own."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from workbench.cli.engine import last_line, run_engine
from workbench.cli.page import say, say_json
from workbench.core.errors import RunFailedError
from workbench.core.places import find_workspace
from workbench.core.runs.listing import find_run
from workbench.core.runs.loading import opens_with_peft
from workbench.core.words import size_text, visible_text


def run(given: argparse.Namespace) -> int:
    """Export it."""
    folder = find_run(given.run, find_workspace(given.workspace))
    place = Path(given.to).expanduser().absolute()
    arguments = [str(folder.path), "--to", str(place), *(["--merge"] if given.merge else [])]
    going_on = f"Nothing goes on; what is in {place} may not be whole."
    try:
        document = json.loads(last_line(run_engine("workbench.engine.export", arguments, going_on, capture=True)))
        path, size = str(document["path"]), int(document["bytes"])
    except (ValueError, KeyError, TypeError):
        raise RunFailedError("The export did not say what it wrote.") from None
    if given.json:
        say_json(document)
        return 0
    say(f"Written to {visible_text(path)} ({size_text(size)}).")
    if (Path(path) / "adapter_config.json").is_file():
        plain = opens_with_peft(Path(path))
        opening = "peft.PeftModel.from_pretrained" if plain else "workbench.engine.methods.stored.open_adapter"
        say(f"It is an adapter: load it with {opening}(base, folder).")
    else:
        say("It is a whole model: load it with transformers.AutoModelForCausalLM.from_pretrained(folder).")
    return 0
