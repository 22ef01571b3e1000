"""Hub data fetched by a process of its own: `datasets` comes and goes with it, and it can be stopped at once."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from workbench.core.data.files.hub import HubData, fetched_folder
from workbench.core.errors import RunFailedError, UserError
from workbench.core.places import Workspace

POLL = 0.1
"""Seconds between two looks at whether somebody still waits."""

Progress = Callable[[str], None]


def fetch_data(
    data: HubData, workspace: Workspace, progress: Progress, check: Callable[[], None] | None = None
) -> Path:
    """Have one split in the workspace's cache; the folder it is in. What `check` or `progress` raises ends the work.

    UserError where it cannot be had, RunFailedError where the process died.
    """
    _run({"do": "fetch", "data": asdict(data), "workspace": str(workspace.root)}, progress, check)
    return fetched_folder(data, workspace)


def list_choices(
    name: str, revision: str | None, progress: Progress, check: Callable[[], None] | None = None
) -> dict[str, Any]:
    """The subsets and splits of a data set; see `hub_data.list_choices`."""
    found: dict[str, Any] = _run({"do": "choices", "name": name, "revision": revision}, progress, check)
    return found


def _run(asked: Mapping[str, Any], progress: Progress, check: Callable[[], None] | None) -> Any:
    process = subprocess.Popen(
        [sys.executable, "-m", "workbench.engine.hub_data", json.dumps(asked)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    try:
        assert process.stdout is not None
        said: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=_listen, args=(process.stdout, said), daemon=True).start()
        while True:
            try:
                line = said.get(timeout=POLL)
            except queue.Empty:
                if check is not None:
                    check()
                continue
            if line is None:
                raise RunFailedError(
                    f"The process that fetches data broke off with status {process.wait()}; try again, or name a file."
                )
            message = json.loads(line)
            if "progress" in message:
                progress(message["progress"])
            elif "error" in message:
                kind = UserError if message["user"] else RunFailedError
                raise kind(message["error"], message["details"])
            else:
                return message["result"]
    finally:
        process.kill()
        process.wait()


def _listen(stream: IO[str], said: queue.Queue[str | None]) -> None:
    for line in stream:
        if line.startswith("{"):
            said.put(line)
    said.put(None)
