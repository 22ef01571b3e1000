"""Who waits for long work on data, told how far it is wherever it takes long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Progress = Callable[[int, int], None]
"""Called with (rows done, rows in all); raising in it cancels the work."""

_waiting: ContextVar[Progress | None] = ContextVar("waiting", default=None)


@contextmanager
def watched(progress: Progress | None) -> Iterator[None]:
    """Within it, readers that look for a row far behind tell `progress` how far they are."""
    token = _waiting.set(progress)
    try:
        yield
    finally:
        _waiting.reset(token)


def tell(done: int, total: int) -> None:
    """So many rows of about so many have been found."""
    progress = _waiting.get()
    if progress is not None:
        progress(done, max(done, total))
