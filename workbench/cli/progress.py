"""How far long work is, in one line on standard error, where somebody looks."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from workbench.core.words import count_text

QUICK = 1.0
"""Seconds of work about which nothing is said."""

PAUSE = 0.2
"""Seconds between two lines."""


@contextmanager
def row_progress(json: bool) -> Iterator[Callable[[int, int], None] | None]:
    """A function to be called with (rows done, rows in all); the line that it writes is gone in the end.

    None where standard error is no terminal, or a document goes to another program.
    """
    if not sys.stderr.isatty() or (json and not sys.stdout.isatty()):
        yield None
        return
    started = last = time.monotonic()
    written = False

    def tell(done: int, total: int) -> None:
        nonlocal last, written
        now = time.monotonic()
        if now - started < QUICK or now - last < PAUSE:
            return
        last, written = now, True
        of = f" of {count_text(total)}" if total else ""
        sys.stderr.write(f"\r\x1b[K{count_text(done)}{of} rows; ctrl-c stops.")
        sys.stderr.flush()

    try:
        yield tell
    finally:
        if written:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
