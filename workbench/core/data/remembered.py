"""The report on a recipe's data, kept for as long as nothing that it depends on has changed."""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from workbench.core.data.files.sources import find_source
from workbench.core.data.templates.built_in import BUILT_IN
from workbench.core.data.watch import Progress
from workbench.core.errors import UserError
from workbench.core.files import read_json, write_json_atomically
from workbench.core.places import Workspace
from workbench.core.recipe import Recipe

TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")
"""Files of a model's folder that a report depends on."""


def data_report(
    recipe: Recipe,
    model_folder: Path,
    workspace: Workspace,
    needs_answers: bool = True,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """`prepare_data`'s report. Data in one file is read once: a second look takes a millisecond."""
    key = _key(recipe, model_folder, needs_answers)
    kept = workspace.cache / "reports" / f"{key}.json"
    found = read_json(kept) if key else None
    if isinstance(found, dict):
        return found
    from workbench.core.data.dataset import prepare_data  # templates and tokenizers take 0.1 s to import

    report = prepare_data(recipe, model_folder, progress, workspace, needs_answers).report
    if key:
        with contextlib.suppress(OSError):  # a full disk costs the next look some time
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_json_atomically(kept, report)
    return report


def _key(recipe: Recipe, model_folder: Path, needs_answers: bool) -> str:
    """What the report depends on, in few letters; empty where that cannot be told from the states of a few files."""
    section = recipe.data
    if section.mix or section.template not in ("auto", "own", *BUILT_IN):
        return ""
    try:
        source = find_source(section.source)
        files = [source]
        if isinstance(section.held_out, str):
            files.append(find_source(section.held_out, source.parent))
        if not all(file.is_file() for file in files):
            return ""
        files += [file for name in TOKENIZER if (file := model_folder / name).is_file()]
        files += sorted(Path(__file__).parent.rglob("*.py"))
        states = [(str(file), (state := file.stat()).st_size, state.st_mtime_ns) for file in files]
    except (OSError, UserError):
        return ""
    training = recipe.training
    said = json.dumps([asdict(section), training.seed, training.micro_batch, needs_answers, states], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:24]
