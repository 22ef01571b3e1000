"""Running one command: its exit status, and one plain sentence for whatever goes wrong.

Exit status: 0 done, 1 a run or an engine process failed, 2 the input cannot be used, 130 stopped by ctrl-c,
141 whoever read the output has closed it.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Sequence

from workbench.cli.page import say_aside
from workbench.cli.parser import MODULES, read_arguments
from workbench.core.errors import RunFailedError, UserError
from workbench.core.places import find_workspace, stay_in
from workbench.core.words import visible_text

FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130
CLOSED = 141


class StoppedError(Exception):
    """The person pressed ctrl-c: one sentence that says what goes on."""


def run_command(arguments: Sequence[str]) -> int:
    """Run the command that `arguments` name; the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        status = _run(arguments)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # What is still in the buffer has no reader; without this the interpreter complains at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED
    except (Exception, KeyboardInterrupt) as error:
        if os.environ.get("WORKBENCH_DEBUG") == "1":
            import traceback

            traceback.print_exc()
        status, sentence = _explain(error)
        say_aside(visible_text(sentence))
        return status


def _run(arguments: Sequence[str]) -> int:
    try:
        given = read_arguments(arguments)
    except SystemExit as done:  # --help and --version; what they printed is flushed like any other output
        return int(done.code or 0)
    if given.workspace:
        stay_in(find_workspace(given.workspace))  # what methods were tried on is kept there too
    module = importlib.import_module(f"workbench.cli.{MODULES[given.verb]}")
    return int(module.run(given))


def _explain(error: BaseException) -> tuple[int, str]:
    """The exit status and the sentence for an error."""
    if isinstance(error, UserError):
        return BAD_INPUT, error.sentence
    if isinstance(error, RunFailedError):
        return FAILED, error.sentence
    if isinstance(error, StoppedError):
        return INTERRUPTED, str(error)
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED, "Stopped; no run was touched."
    if isinstance(error, OSError) and error.strerror:
        where = f" ({error.filename})" if error.filename else ""
        return FAILED, f"The system refused: {error.strerror}{where}."
    return FAILED, f"Workbench itself failed: {type(error).__name__}: {error}; WORKBENCH_DEBUG=1 shows where."
