"""The helper process from the other end: requests as coroutines, started on demand, started again when it has died."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.core.errors import RunFailedError, UserError
from workbench.core.places import Workspace

Event = dict[str, Any]

CHUNK = 1 << 18
"""Bytes read at once; a line may be of any length."""

PATIENCE = 3.0
"""Seconds that the process gets to end by itself."""

LOG_LIMIT = 2_000_000
"""Bytes of the helper's log above which the next start begins it anew."""

LAST_WORDS = 4_000
"""Bytes of the log that go with the news of its death."""

GONE = "The helper process stopped; ask again and another is started."


class Helper:
    """A helper process of one workspace, for coroutines of one event loop.

    `async with Helper(workspace) as helper: await helper.request("inspect", recipe=…)`. The process is started by the
    first request and ends with `close`, or with this process.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._connection: _Connection | None = None
        self._starting = asyncio.Lock()
        self._numbers = itertools.count(1)
        self._closed = False

    async def __aenter__(self) -> Helper:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.close()

    @property
    def pid(self) -> int | None:
        """The process's id, or None while there is none."""
        connection = self._connection
        return connection.process.pid if connection is not None and connection.alive else None

    @property
    def log(self) -> Path:
        """What the process and its libraries have printed."""
        return self.workspace.cache / "helper.log"

    async def request(self, do: str, on_event: Callable[[Event], None] | None = None, **args: Any) -> dict[str, Any]:
        """Ask the helper to `do` something; its answer. Cancelling the awaiting task cancels the request.

        `on_event` is called with every event of this request, in order, in the event loop. UserError with the helper's
        own sentence where the input cannot be used; RunFailedError where the helper failed or died (the next request
        starts another).
        """
        connection = await self._connect()
        return await connection.ask({"id": next(self._numbers), "do": do, "args": args}, on_event)

    async def close(self) -> None:
        """End the process; requests that still wait fail."""
        self._closed = True
        async with self._starting:
            connection, self._connection = self._connection, None
            if connection is not None:
                await connection.close()

    async def _connect(self) -> _Connection:
        async with self._starting:
            if self._closed:
                raise RunFailedError("The helper is closed.")
            if self._connection is None or not self._connection.alive:
                self._connection = _Connection(await self._start(), self._last_words)
            return self._connection

    async def _start(self) -> asyncio.subprocess.Process:
        try:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            anew = self.log.exists() and self.log.stat().st_size > LOG_LIMIT
            with self.log.open("wb" if anew else "ab") as log:
                return await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-P",  # nothing in the working folder may stand in for a library
                    "-m",
                    "workbench.engine.helper",
                    "--workspace",
                    str(self.workspace.root),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=log,
                    start_new_session=True,
                    env={**os.environ, "PYTHONUNBUFFERED": "1"},
                )
        except OSError as error:
            raise RunFailedError(f"The helper process cannot be started ({error.strerror or error}).") from error

    def _last_words(self) -> str:
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - LAST_WORDS))
                return file.read().decode("utf-8", "replace").strip()
        except OSError:
            return ""


@dataclass
class _Open:
    """A request that waits for its answer."""

    answer: asyncio.Future[dict[str, Any]]
    on_event: Callable[[Event], None] | None


class _Connection:
    """One process, from its start to its end, and who waits for it."""

    def __init__(self, process: asyncio.subprocess.Process, last_words: Callable[[], str]) -> None:
        self.process = process
        self._last_words = last_words
        self._waiting: dict[int, _Open] = {}
        self._ended = False
        self._reading = asyncio.create_task(self._read())

    @property
    def alive(self) -> bool:
        return not self._ended and self.process.returncode is None

    async def ask(self, message: dict[str, Any], on_event: Callable[[Event], None] | None) -> dict[str, Any]:
        """Send a request and wait for its answer."""
        if self._ended:
            raise RunFailedError(GONE)
        number = message["id"]
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = _Open(answer, on_event)
        try:
            self._write(message)
            return await answer
        except asyncio.CancelledError:
            self._write({"do": "cancel", "id": number})
            raise
        finally:
            self._waiting.pop(number, None)

    async def close(self) -> None:
        """Let the process end, or end it."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            await asyncio.wait_for(self.process.wait(), PATIENCE)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()
        await self._reading

    def _write(self, message: dict[str, Any]) -> None:
        """Write one line; where the process is gone, its reader says so to everyone who waits."""
        if self.process.stdin is not None and not self.process.stdin.is_closing():
            self.process.stdin.write(json.dumps(message, ensure_ascii=True).encode("ascii") + b"\n")

    async def _read(self) -> None:
        """Hand out answers and events until the process ends; then tell everyone who still waits."""
        assert self.process.stdout is not None
        kept: list[bytes] = []
        while chunk := await self.process.stdout.read(CHUNK):
            *whole, rest = chunk.split(b"\n")
            if whole:
                whole[0] = b"".join((*kept, whole[0]))
                kept.clear()
            kept.append(rest)
            for line in whole:
                self._take(line)
        status = await self.process.wait()
        self._ended = True
        details = f"It ended with status {status}.\n{self._last_words()}"
        for waiting in list(self._waiting.values()):
            if not waiting.answer.done():
                waiting.answer.set_exception(RunFailedError(GONE, details))

    def _take(self, line: bytes) -> None:
        try:
            message = json.loads(line)
            waiting = self._waiting.get(message["id"])
        except (ValueError, TypeError, KeyError):
            return
        if waiting is None or waiting.answer.done():
            return
        if "event" in message:
            del message["id"]
            try:
                if waiting.on_event is not None:
                    waiting.on_event(message)
            except Exception as error:
                waiting.answer.set_exception(error)
        elif "result" in message:
            waiting.answer.set_result(message["result"])
        else:
            kind = UserError if message.get("user") else RunFailedError
            waiting.answer.set_exception(kind(str(message.get("error")), str(message.get("details") or "")))
