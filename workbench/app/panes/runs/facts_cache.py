"""What came of each run, read once for as long as its files stay the same."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from workbench.core.runs.facts import FACTS, describe_run, read_facts
from workbench.core.runs.folder import RunFolder

Stamp = tuple[int, int]
"""Time of change and size of a file."""


REST = 20.0
"""Seconds before the events of a run that is going on are read again."""


class FactsCache:
    """Facts by run folder; `quick` never reads more than facts.json, `whole` reads events too."""

    def __init__(self) -> None:
        self._facts: dict[str, tuple[Stamp, Mapping[str, Any]]] = {}
        self._read: dict[str, float] = {}

    def quick(self, folder: RunFolder, live: bool) -> Mapping[str, Any] | None:
        """What is known at once: the cached facts, or those the trainer left; None where only the events tell."""
        stamp = _stamp(folder)
        cached = self._facts.get(str(folder.path))
        rested = time.monotonic() - self._read.get(str(folder.path), float("-inf")) > REST
        if cached is not None and (cached[0] == stamp or (live and not rested)):
            return cached[1]
        facts = read_facts(folder)
        if facts:
            self._facts[str(folder.path)] = (stamp, facts)
            return facts
        return None

    def whole(self, folder: RunFolder) -> Mapping[str, Any]:
        """The same, from the events where there are no facts. Slow for a long run: call it in a thread."""
        stamp = _stamp(folder)
        facts = describe_run(folder)
        self._read[str(folder.path)] = time.monotonic()
        self._facts[str(folder.path)] = (stamp, facts)
        return facts

    def known(self, folder: RunFolder) -> Mapping[str, Any]:
        """The cached facts as they were last read, however old; empty where there are none."""
        cached = self._facts.get(str(folder.path))
        return cached[1] if cached else {}


def _stamp(folder: RunFolder) -> Stamp:
    for path in (folder.path / FACTS, folder.events):
        try:
            found = path.stat()
        except OSError:
            continue
        return found.st_mtime_ns, found.st_size
    return 0, 0
