"""status.json while the trainer lives: who runs the run, how far it is, and that it is still there."""

from __future__ import annotations

import socket
import threading
import time

import psutil

from workbench.core.runs.folder import RunFolder, Status

INTERVAL = 1.0
"""Seconds between two writings of an unchanged state."""


class Clock:
    """Seconds spent training, over all resumptions; it stands still until started, and while the run is paused."""

    def __init__(self, before: float = 0.0) -> None:
        self._spent = before
        self._since: float | None = None

    @property
    def seconds(self) -> float:
        running = time.monotonic() - self._since if self._since is not None else 0.0
        return self._spent + running

    def start(self) -> None:
        if self._since is None:
            self._since = time.monotonic()

    def stop(self) -> None:
        self._spent, self._since = self.seconds, None


class Heartbeat:
    """Writes the status at once when the state changes, and else once a second, from a thread of its own.

    The thread beats on through a long step, a pause, and the loading of a model. A full disk skips beats.
    """

    def __init__(self, folder: RunFolder, clock: Clock, silent: bool = False) -> None:
        self.folder = folder
        self.clock = clock
        self.silent = silent
        self.step = 0
        self.steps = 0
        self.state = "running"
        before = folder.read_status()
        self.started = before.started if before else time.time()
        if before:
            self.step, self.steps = before.step, before.steps
        process = psutil.Process()
        self._pid, self._pid_started = process.pid, process.create_time()
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def start(self) -> None:
        self.write()
        self._thread.start()

    def change(self, state: str) -> None:
        """Say a new state at once."""
        self.state = state
        self.write()

    def stop(self, state: str) -> None:
        """Say the last state, and beat no more."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5.0)
        self.change(state)

    def write(self) -> None:
        if self.silent:
            return
        status = Status(
            state=self.state,
            pid=self._pid,
            pid_started=self._pid_started,
            host=socket.gethostname(),
            step=self.step,
            steps=self.steps,
            started=self.started,
            heartbeat=time.time(),
            seconds=round(self.clock.seconds, 3),
        )
        with self._lock:
            try:
                self.folder.write_status(status)
            except OSError:
                return

    def _beat(self) -> None:
        while not self._end.wait(INTERVAL):
            self.write()
