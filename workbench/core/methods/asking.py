"""Questions about methods that only real libraries answer: asked of a process of the engine, answers kept."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from workbench.core.errors import UserError
from workbench.core.files import read_json, write_json_atomically
from workbench.core.places import find_workspace

PATIENCE = 300.0
"""Seconds that an answer may take: some kinds factorise every matrix of a model."""


FORM = "2"
"""Changes with how the engine answers, so that answers of before are not taken for its own."""

LEAN = ("workbench.engine.methods.trial", "workbench.engine.methods.kinds")
"""Programs that compute nothing, and so need neither bitsandbytes nor datasets."""


def text_key(*texts: str) -> str:
    """A short name for texts, the same for the same ones."""
    return hashlib.sha256("\n".join((FORM, *texts)).encode()).hexdigest()[:24]


def is_answered(name: str) -> bool:
    """Whether the answer of this name is kept, so that `ask_engine` gives it at once."""
    return _kept(name).is_file()


def _kept(name: str) -> Path:
    return find_workspace().cache / "peft" / f"{name}.json"


def ask_engine(program: str, asked: dict[str, Any], name: str, sorry: str) -> dict[str, Any]:
    """The JSON answer of `python -m program` to `asked`, kept under `name`; UserError(sorry) where it gives none."""
    cache = _kept(name)
    stored = read_json(cache)
    if isinstance(stored, dict):
        return stored
    found = run_program(program, asked, sorry)
    cache.parent.mkdir(parents=True, exist_ok=True)
    write_json_atomically(cache, found)
    return found


def run_program(program: str, asked: dict[str, Any], sorry: str) -> dict[str, Any]:
    """The answer itself, from a process of its own."""
    try:
        answer = subprocess.run(
            [sys.executable, "-P", "-m", *(("workbench.engine.lean",) if program in LEAN else ()), program],
            input=json.dumps(asked), capture_output=True, text=True, timeout=PATIENCE, check=True,
        )  # fmt: skip
        return dict(json.loads(answer.stdout.strip().splitlines()[-1]))
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        raise UserError(sorry) from None
