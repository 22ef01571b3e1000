"""Work beside the screen, in the form in which Textual's workers take it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any


def deferred(function: Callable[..., Coroutine[Any, Any, Any]], *arguments: object) -> Callable[[], Any]:
    """The call for `run_worker`: its coroutine is made when the worker begins, so one that never does leaves none."""
    return partial(function, *arguments)
