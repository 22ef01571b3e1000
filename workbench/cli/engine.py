"""Running a module of the engine in the foreground: its progress as it comes, its own sentence where it refuses."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence

from workbench.cli.command import BAD_INPUT, StoppedError
from workbench.core.errors import RunFailedError, UserError


def run_engine(module: str, arguments: Sequence[str], going_on: str, capture: bool) -> str:
    """Run `python -m module arguments…`; with `capture` return what it printed, else let it print.

    UserError with its own sentence for exit status 2, RunFailedError for any other; StoppedError with `going_on` after
    ctrl-c, which reaches the module once, and is waited for.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if capture else None,
            stderr=complaints,
            text=True,
            start_new_session=True,  # so that ctrl-c comes from here alone, and only once
        )
        interrupted = False
        try:
            printed = process.communicate()[0] or ""
        except KeyboardInterrupt:
            interrupted = True
            process.send_signal(signal.SIGINT)
            printed = process.communicate()[0] or ""
        complaints.seek(0)
        said = [line.strip() for line in complaints if line.strip()]
    if interrupted or process.returncode == 130:
        raise StoppedError(going_on)
    if process.returncode == BAD_INPUT and said:
        raise UserError(said[-1])
    if process.returncode:
        last = said[-1][:300] if said else f"it ended with status {process.returncode}."
        broke_off = not said or any(line.startswith("Traceback") for line in said)
        raise RunFailedError(f"The engine broke off: {last}" if broke_off else last, "\n".join(said))
    return printed


def last_line(printed: str) -> str:
    """The last line that says something."""
    return next((line for line in reversed(printed.splitlines()) if line.strip()), "")
