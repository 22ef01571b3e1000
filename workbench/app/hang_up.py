"""A terminal that goes away without a signal ends the app all the same; else it would read from nothing for ever."""

from __future__ import annotations

import os
import select
import signal
import sys

PERIOD = 5.0
"""Seconds between two looks."""


def is_hung_up(descriptor: int) -> bool:
    """Whether the other end of a terminal has been closed."""
    poll = select.poll()
    poll.register(descriptor, select.POLLHUP)
    return any(event & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, event in poll.poll(0))


def end_when_hung_up() -> None:
    """End the process as a hang-up signal would, if its terminal is gone. Runs go on."""
    if sys.__stdin__ is not None and is_hung_up(sys.__stdin__.fileno()):
        os.kill(os.getpid(), signal.SIGHUP)
