"""The measured estimate: two real steps of a recipe, asked of a process of their own, and remembered."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from typing import IO, Any

from workbench.core.errors import RunFailedError, UserError
from workbench.core.memory.experience import keep_rehearsal
from workbench.core.places import Workspace
from workbench.core.recipe import Recipe, recipe_to_mapping

BAD_INPUT = 2
"""The engine's exit status where the recipe cannot be used."""


def rehearse_recipe(
    recipe: Recipe,
    workspace: Workspace,
    say: Callable[[str], None] | None = None,
    check: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Two real steps with the longest rows, measured: the rehearsal's document, kept for `read_experience`.

    `say` is told what goes on; `check` is called several times a second, and what it raises ends the steps. UserError
    where the recipe cannot be used, RunFailedError where the steps failed.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "workbench.engine.rehearsal"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints, text=True, start_new_session=True,
        )  # fmt: skip
        found: dict[str, Any] | None = None
        try:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(json.dumps({"recipe": recipe_to_mapping(recipe), "workspace": str(workspace.root)}))
            process.stdin.close()
            lines = _lines_of(process.stdout)
            while True:
                check()
                try:
                    line = lines.get(timeout=0.1)
                except queue.Empty:
                    continue
                if line is None:
                    break
                said = _read(line)
                if "progress" in said and say is not None:
                    say(str(said["progress"]))
                elif "measured" in said:
                    found = said
            process.wait()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        complaints.seek(0)
        written = complaints.read()
    if process.returncode or found is None:
        words = [line.strip() for line in written.splitlines() if line.strip()]
        sentence = words[-1] if words else _silent_end(process.returncode)
        raise (UserError if process.returncode == BAD_INPUT else RunFailedError)(sentence, written)
    keep_rehearsal(workspace, found)
    return found


def _read(line: str) -> dict[str, Any]:
    """The line's document; empty where a library printed something of its own."""
    try:
        values = json.loads(line)
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}


def _silent_end(status: int) -> str:
    if status == -9:
        return "The steps were ended from outside, most likely for want of memory; choose a smaller run."
    return f"The engine ended with status {status} and without a word."


def _lines_of(stream: IO[str]) -> queue.Queue[str | None]:
    """The stream's lines as they come, and None at its end."""
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        for line in stream:
            if line.strip():
                lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    return lines
