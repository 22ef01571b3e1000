"""Worker processes that tokenise, each on a core of its own, and end with whoever started them.

They are started as programs, neither forked nor spawned by `multiprocessing`: the process that starts them may hold
torch, a GPU and threads, none of which a worker needs.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, TimeoutError
from queue import SimpleQueue
from typing import Any

from workbench.core.data.conversations.turns import Conversation
from workbench.core.data.tokens.batches import Encoded, Job, encode_batch
from workbench.core.data.tokens.worker import pack_batch, pack_job, receive, send, unpack_done

MOST = 8
"""Workers beyond which the process that feeds them is what is waited for."""

AHEAD = 2
"""Batches that a worker has at once: one that it works on, and the next."""

POLL = 0.1
"""Seconds between two looks at whether somebody still waits."""

Batch = list[Conversation]

Check = Callable[[], None]
"""Called several times a second while there is nothing but waiting; raising in it cancels the work."""


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def encode_by_workers(
    batches: Iterable[Batch], job: Job, check: Check | None = None
) -> Iterator[tuple[Conversation, Encoded]]:
    """Every conversation of the batches with what became of it, in their order.

    A batch that no worker can do (one died, or a row holds other than plain values) is done here. However it ends, the
    workers end with it.
    """
    count = min(MOST, usable_cores())
    workers = Workers(job, count)
    waiting: deque[tuple[Batch, Future[Any]]] = deque()
    try:
        for batch in batches:
            waiting.append((batch, workers.submit(batch)))
            while waiting and (waiting[0][1].done() or len(waiting) > count * (AHEAD + 1)):
                yield from _next(waiting, workers, job, check)
        while waiting:
            yield from _next(waiting, workers, job, check)
    finally:
        workers.close()


def _next(
    waiting: deque[tuple[Batch, Future[Any]]], workers: Workers, job: Job, check: Check | None
) -> Iterator[tuple[Conversation, Encoded]]:
    batch, future = waiting.popleft()
    answer: Any = None
    while True:
        try:
            answer = future.result(POLL)
            break
        except TimeoutError:
            if check:
                check()
            if not workers.any_alive() and not future.done():
                break
    done = encode_batch(batch, job) if answer is None else unpack_done(batch, answer)
    yield from zip(batch, done, strict=True)


class Workers:
    """Some worker processes for one job."""

    def __init__(self, job: Job, count: int) -> None:
        self._todo: SimpleQueue[tuple[bytes, Future[Any]] | None] = SimpleQueue()
        self._all: list[_Worker] = []
        self._count = count
        self._job = pack_job(job)

    def submit(self, batch: Batch) -> Future[Any]:
        """Have a batch done by whichever worker is free; the future's None means that none could."""
        future: Future[Any] = Future()
        if len(self._all) < self._count:  # one for each batch, so that a single huge row starts one
            try:
                self._all.append(_Worker(self._job, self._todo))
            except OSError:
                self._count = len(self._all)  # without any, all is done in this process
        try:
            content = marshal.dumps(pack_batch(batch))
        except ValueError:
            future.set_result(None)
            return future
        self._todo.put((content, future))
        return future

    def any_alive(self) -> bool:
        return any(worker.is_alive for worker in self._all)

    def close(self) -> None:
        """End the processes at once."""
        for worker in self._all:
            worker.end()
        for _ in self._all:
            self._todo.put(None)
        for worker in self._all:
            worker.wait()


class _Worker:
    """One process, a thread that feeds it and one that reads its answers."""

    def __init__(self, job: dict[str, Any], todo: SimpleQueue[tuple[bytes, Future[Any]] | None]) -> None:
        environment = {**os.environ, "TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "workbench.core.data.tokens.worker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=environment, start_new_session=True,
        )  # fmt: skip
        self._todo = todo
        self._room = threading.Semaphore(AHEAD)
        self._open: deque[Future[Any]] = deque()
        self.is_alive = True
        self._threads = [
            threading.Thread(target=self._feed, args=(job,), daemon=True),
            threading.Thread(target=self._collect, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def _feed(self, job: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            send(job, self._process.stdin)
            while self.is_alive:
                self._room.acquire()
                item = self._todo.get() if self.is_alive else None
                if item is None:
                    return
                content, future = item
                self._open.append(future)
                if not self.is_alive:
                    self._lose()
                    return
                self._process.stdin.write(len(content).to_bytes(8, "little") + content)
                self._process.stdin.flush()
        except (OSError, ValueError):
            self._lose()

    def _collect(self) -> None:
        assert self._process.stdout is not None
        try:
            while True:
                answer = receive(self._process.stdout)
                self._open.popleft().set_result(answer)
                self._room.release()
        except (EOFError, OSError, ValueError, TypeError):
            self._lose()

    def _lose(self) -> None:
        """Give back what it will never answer."""
        self.is_alive = False
        with contextlib.suppress(IndexError):
            while True:
                self._open.popleft().set_result(None)
        self._room.release()

    def end(self) -> None:
        self.is_alive = False
        self._process.kill()

    def wait(self) -> None:
        self._process.wait()
        self._room.release()
        for thread in self._threads:
            thread.join(5)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
