"""What the user wants of a running trainer: the run's control file, and signals."""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import Any

import psutil

from workbench.core.runs.folder import WANTS, RunFolder, read_control


class StopAskedError(Exception):
    """The user wants the run to end, at a moment when there is nothing to keep."""


class Controls:
    """Reads what is wanted. A word that is older than this process was meant for the one before."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self._signalled = False
        self._born = int(psutil.Process().create_time() * 1e9)
        self._answered = 0
        self._standing = "run"

    def listen(self) -> None:
        """Take SIGTERM and SIGINT as a wish to stop, and ignore SIGHUP: a closed terminal ends nothing."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        if hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def _stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._signalled = True

    def read(self) -> str:
        """run, pause, stop or checkpoint. A checkpoint is asked for once; then what was wanted before still is."""
        if self._signalled:
            return "stop"
        want, at = read_control(self.folder)
        if at < self._born:
            return "run"
        if want != "checkpoint":
            self._standing = want
        elif at != self._answered:
            self._answered = at
            return want
        return self._standing

    def raise_if_stopped(self) -> None:
        """StopAskedError where the run is to end."""
        if self._signalled or self.read_stop():
            raise StopAskedError

    def read_stop(self) -> bool:
        """Whether the file says stop; takes no request for a checkpoint away."""
        want, at = read_control(self.folder)
        return want == "stop" and at >= self._born


def share_want(want: str) -> str:
    """What the first of a run's processes has read, on all of them: files are read at different moments."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return want
    import torch
    from torch import distributed

    if not distributed.is_initialized():
        return want
    device: Any = "cuda" if distributed.get_backend() == "nccl" else "cpu"
    word = torch.tensor([WANTS.index(want)], device=device)
    distributed.broadcast(word, src=0)
    return WANTS[int(word.item())]
