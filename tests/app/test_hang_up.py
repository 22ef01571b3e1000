"""The app on a terminal that goes away."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time


def read_until(master: int, wanted: bytes, seconds: float) -> bool:
    """Whether `wanted` comes within so many seconds."""
    end, seen = time.monotonic() + seconds, b""
    while wanted not in seen and time.monotonic() < end:
        if select.select([master], [], [], 0.2)[0]:
            seen += os.read(master, 65536)
    return wanted in seen


def test_the_app_ends_when_its_terminal_is_gone_without_a_signal(tmp_path):
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "WORKBENCH_HOME": str(tmp_path)}
    app = subprocess.Popen(  # a session of its own, to which the terminal does not belong: nobody hangs it up
        [sys.executable, "-m", "workbench"], stdin=slave, stdout=slave, stderr=slave, env=environment,
        start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    try:
        assert read_until(master, b"story", 60)
        os.close(master)
        app.wait(timeout=60)
    finally:
        app.kill()
