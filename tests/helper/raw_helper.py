"""The helper process by its pipes, without the client."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time

from workbench.core.places import Workspace

DEADLINE = 90.0
"""Seconds that an answer may take on a busy machine."""


class RawHelper:
    """The helper process by its pipes, every line as it comes."""

    def __init__(self, workspace: Workspace, **environment: str) -> None:
        workspace.cache.mkdir(exist_ok=True)
        self.log = workspace.cache / "raw.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "workbench.engine.helper", "--workspace", str(workspace.root)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                env={**os.environ, **environment},
            )
        self.lines: list[bytes] = []
        self._fresh: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.append(line)
            self._fresh.put(line)

    def send(self, message: object) -> None:
        line = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def wait_for(self, wanted) -> dict:
        """The next message for which `wanted` is true; those before it are skipped."""
        end = time.monotonic() + DEADLINE
        while True:
            message = json.loads(self._fresh.get(timeout=max(0.1, end - time.monotonic())))
            if wanted(message):
                return message

    def answer(self, number: object) -> dict:
        return self.wait_for(lambda message: message["id"] == number and "event" not in message)

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=DEADLINE)
