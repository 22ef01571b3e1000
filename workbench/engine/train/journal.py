"""The run's events on disk, or in memory for as long as the disk takes none."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from pathlib import Path
from typing import Any

from workbench.core.runs.events import EventWriter

WAITING = 100_000
"""Events that are kept while they cannot be written; beyond, the oldest are lost."""


class Journal:
    """Writes events; a full disk holds up nothing, and what waited is written once there is room."""

    def __init__(self, path: Path, silent: bool = False) -> None:
        """`silent`: write nothing, as every process but the first of a run."""
        self.path = path
        self.silent = silent
        self._waiting: deque[tuple[str, int, dict[str, Any]]] = deque(maxlen=WAITING)
        self._writer: EventWriter | None = None

    def write(self, kind: str, step: int, **rest: Any) -> None:
        """Append one event with the time of now."""
        if self.silent:
            return
        self._waiting.append((kind, step, {"t": round(time.time(), 3), **rest}))
        self.flush()

    def flush(self) -> bool:
        """Write what waits; False where the disk does not take it."""
        try:
            while self._waiting:
                if self._writer is None:
                    self._writer = EventWriter(self.path)
                kind, step, rest = self._waiting[0]
                self._writer.write(kind, step, **rest)
                self._waiting.popleft()
        except OSError:
            self._drop_writer()
            return False
        return True

    def _drop_writer(self) -> None:
        """Let go of a file whose buffer holds half an event; the next writer ends the torn line."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with contextlib.suppress(OSError):
                writer.close()

    def notice(self, step: int, text: str, level: str = "warning") -> None:
        """Tell whoever watches something in a sentence."""
        self.write("notice", step, level=level, text=text)

    def close(self) -> None:
        self.flush()
        self._drop_writer()
