"""Programs of the engine that do one thing and say what came of it as a JSON line, or in a sentence why nothing did."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from workbench.core.errors import RunFailedError, UserError
from workbench.engine.failures import is_disk_full, is_out_of_memory
from workbench.engine.helper.wire import take_standard_output


def answer_once(work: Callable[[], Mapping[str, Any]], name: str, out_of_memory: str) -> int:
    """Print what `work` gives as one JSON line: exit status 0, 2 where the person asked wrongly, 1 where it failed.

    `name` is the work in words, such as "The export"; `out_of_memory` is the sentence for where the memory ends.
    """
    output = take_standard_output()
    try:
        document = work()
    except Exception as error:  # whatever it is, a person gets a sentence
        sys.stderr.write(f"{_sentence(error, name, out_of_memory)}\n")
        return 2 if isinstance(error, UserError) else 1
    os.write(output, json.dumps(document).encode() + b"\n")
    return 0


def _sentence(error: Exception, name: str, out_of_memory: str) -> str:
    if isinstance(error, (UserError, RunFailedError)):
        return error.sentence
    if is_out_of_memory(error):
        return out_of_memory
    if is_disk_full(error):
        return "The disk is full; free some space and try again."
    return f"{name} met an error that it did not expect ({type(error).__name__}: {error})."


def tell(text: str) -> None:
    """Say what is being done, where somebody looks."""
    if sys.stderr.isatty():
        sys.stderr.write(f"{text}\n")
