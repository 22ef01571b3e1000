"""Processes that have done nothing yet, each asked for one thing: what a saved result gives when it is opened there.

Run as a program, it imports what is needed, and then forks for every job on standard input, so that a fresh process
costs milliseconds. It never runs a model itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


class FreshProcesses:
    """The program below, and the answers of the processes that it forks."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "fresh.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, job: dict[str, Any]) -> Path:
        """Give out a job, and go on; the file in which its answer will be."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return Path(job["work"]) / "answer.json"

    def wait(self) -> None:
        """Wait for the oldest job that has not been waited for."""
        assert self._process.stdout
        if not self._process.stdout.readline():
            raise RuntimeError("the program that forks fresh processes has ended")

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(timeout=60)


def serve() -> None:
    sys.path.insert(0, str(HERE))
    import logging

    import proof

    logging.disable(logging.WARNING)

    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            try:
                answer = proof.come_back(job)
            except BaseException:
                answer = {"failed": traceback.format_exc()}
            (Path(job["work"]) / "answer.json").write_text(json.dumps(answer))
            os._exit(0)
        os.waitpid(child, 0)
        print("done", flush=True)


if __name__ == "__main__":
    serve()
