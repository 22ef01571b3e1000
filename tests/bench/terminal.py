"""A program in a terminal of its own, as a person's emulator would run it, with what it sends counted and timed."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

ESCAPES = re.compile(rb"\x1b\[[0-9;?<>=]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b\][^\x07]*\x07")


class Terminal:
    """A process on a pseudo-terminal."""

    def __init__(
        self, command: list[str], environment: dict[str, str] | None = None, size: tuple[int, int] = (120, 36)
    ):
        self.started = time.perf_counter()
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        variables = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", **(environment or {})}
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=variables, start_new_session=True, close_fds=True
        )
        os.close(slave)
        self.received = 0
        self.recent = b""

    def read(self, seconds: float) -> bytes:
        """What comes within `seconds`, at once when something does."""
        ready, _, _ = select.select([self.master], [], [], seconds)
        if not ready:
            return b""
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return b""
        self.received += len(data)
        self.recent = (self.recent + data)[-200_000:]
        return data

    def wait_for(self, text: str, deadline: float = 60.0) -> float:
        """Seconds until `text` stands in what was sent since the last `forget`; TimeoutError after `deadline`."""
        start = time.perf_counter()
        while text.encode() not in ESCAPES.sub(b"", self.recent):
            if time.perf_counter() - start > deadline:
                shown = ESCAPES.sub(b"", self.recent)[-2000:].decode(errors="replace")
                raise TimeoutError(f"{text!r} did not appear; the screen had: {shown}")
            self.read(0.05)
        return time.perf_counter() - start

    def forget(self) -> None:
        """Leave what was sent so far out of the next `wait_for`."""
        while self.read(0.0):
            pass
        self.recent = b""

    def send(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def count_for(self, seconds: float) -> float:
        """Bytes a second that the program sends over the next `seconds`."""
        self.forget()
        before, start = self.received, time.perf_counter()
        while time.perf_counter() - start < seconds:
            self.read(0.1)
        return (self.received - before) / (time.perf_counter() - start)

    def close(self) -> None:
        """End the program and its terminal."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        os.close(self.master)
