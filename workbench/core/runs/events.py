"""events.jsonl: what happened in a run, one JSON object a line, only ever appended."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, TextIO

Event = dict[str, Any]
"""An event: `kind` (start, step, eval, sample, memory, checkpoint, notice, end), `t` (seconds since the epoch), `step`,
and what its kind carries:

start       total_parameters, trainable_parameters, share, rows, held_out_rows, steps, tokens_per_epoch, device,
            precision, predicted_memory, resumed_from (a step, or null)
step        loss, learning_rate, grad_norm, tokens, trained_tokens (both since the start), tokens_per_second,
            seconds (running time so far), epoch
eval        loss (mean over held-out trained tokens), tokens, side (base or tuned); score and scored where rows were
            answered (the share of exact matches, and of how many rows)
sample      prompt, expected, base (null where not asked), tuned
memory      allocated, reserved, process (bytes, peaks so far; null where the device has no such figure), predicted
checkpoint  path (in the run folder), bytes
notice      level (info, warning, error), text
end         state (finished, stopped, failed), text
"""


class EventWriter:
    """Appends events, each line flushed. The trainer only."""

    def __init__(self, path: Path) -> None:
        self._mend_tail(path)
        self._file: TextIO = path.open("a", encoding="utf-8")

    @staticmethod
    def _mend_tail(path: Path) -> None:
        """End a line that a killed trainer left half-written, so that the next event stands on its own."""
        if path.exists() and path.stat().st_size:
            with path.open("rb+") as file:
                file.seek(-1, 2)
                if file.read(1) != b"\n":
                    file.write(b"\n")

    def write(self, kind: str, step: int, **rest: Any) -> None:
        """Append one event."""
        event = {"kind": kind, "t": round(time.time(), 3), "step": step, **rest}
        self._file.write(json.dumps(event, ensure_ascii=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class EventReader:
    """Reads a run's events as they come; a half-written last line is held back until it is whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._position = 0

    def read(self) -> list[Event]:
        """The events since the last call; a line that is not a JSON object is skipped."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._position)
                content = file.read()
        except OSError:
            return []
        whole = content.rfind(b"\n") + 1
        self._position += whole
        events: list[Event] = []
        for line in content[:whole].splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict) and "kind" in event:
                events.append(event)
        return events
