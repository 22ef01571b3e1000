"""Waiting for something to come true, with a deadline."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable


async def wait_for(condition: Callable[[], object], deadline: float = 20.0) -> object:
    """The condition's first true value; fails, naming the condition, where the deadline (seconds) passes first."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(
                f"within {deadline:g} s this did not come true: {inspect.getsource(condition).strip()}"
            )
        await asyncio.sleep(0.02)
