"""Standard output kept clean: a private copy for JSON lines, and everything that libraries print sent to the log."""

from __future__ import annotations

import json
import os
import threading
from typing import Any


def take_standard_output() -> int:
    """A private copy of standard output; from now on whatever is printed, by C code too, goes to standard error."""
    private = os.dup(1)
    os.dup2(2, 1)
    return private


class Wire:
    """One JSON object a line, whole, from any thread."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def send(self, message: dict[str, Any]) -> None:
        """Write one line. The process ends where nobody reads any more."""
        line = json.dumps(message, ensure_ascii=True, separators=(",", ":"), default=str).encode("ascii") + b"\n"
        with self._lock:
            view = memoryview(line)
            try:
                while view:
                    view = view[os.write(self._descriptor, view) :]
            except OSError:
                os._exit(0)
