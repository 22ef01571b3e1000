"""Requests: read from the wire, run each in a thread of its own, answered once."""

from __future__ import annotations

import json
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from workbench.core.errors import RunFailedError, UserError
from workbench.engine.failures import is_disk_full, is_out_of_memory
from workbench.engine.helper.wire import Wire

FAREWELL = 0.5
"""Seconds that requests which are still open at the end get to end what they have begun."""


class CancelledRequest(BaseException):
    """The request was cancelled. Not an Exception, so that no library takes it for a failure of its own."""


class Request:
    """One request while it is open."""

    def __init__(self, wire: Wire, number: Any, do: str, args: Mapping[str, Any]) -> None:
        self.number = number
        self.do = do
        self.args = args
        self._wire = wire
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        self._cancelled.set()

    @property
    def is_cancelled(self) -> bool:
        return self._cancelled.is_set()

    def check(self) -> None:
        """Raise CancelledRequest where nobody waits for the answer any more."""
        if self.is_cancelled:
            raise CancelledRequest

    def tell(self, event: Mapping[str, Any]) -> None:
        """Send an event; CancelledRequest where nobody waits any more."""
        self.check()
        self._wire.send({"id": self.number, **event})

    def say(self, text: str) -> None:
        """Send what is being done, in words."""
        self.tell({"event": "progress", "text": text})

    def take(self, name: str, kind: type, default: Any = ...) -> Any:
        """An argument, checked; RunFailedError where it is missing or of another kind."""
        value = self.args.get(name, default)
        if value is ...:
            raise RunFailedError(f"The helper was asked for {self.do} without {name}.")
        if value is default or (isinstance(value, kind) and not (kind is int and isinstance(value, bool))):
            return value
        raise RunFailedError(f"The helper was asked for {self.do} with {name} as {type(value).__name__}.")


Verb = Callable[[Request], dict[str, Any]]


def serve(lines: Iterable[bytes], wire: Wire, verbs: Mapping[str, Verb]) -> None:
    """Answer requests until the lines end. A line that is not a request is answered with an error, and no more."""
    going: dict[Any, Request] = {}
    lock = threading.Lock()

    def run(request: Request) -> None:
        try:
            wire.send(_reply(request, verbs))
        finally:
            with lock:
                going.pop(request.number, None)

    threads: list[threading.Thread] = []
    for line in lines:
        message = _read(line)
        if message is None:
            if line.strip():
                wire.send({"id": None, "error": "The helper got a line that is not a request.", "user": False})
            continue
        number = message.get("id")
        if message["do"] == "cancel":
            with lock:
                asked = going.get(number)
            if asked is not None:
                asked.cancel()
            continue
        if message["do"] not in verbs:
            error = f"The helper does not know how to {message['do'][:60]!r}."
            wire.send({"id": number, "error": error, "user": False})
            continue
        request = Request(wire, number, message["do"], message.get("args") or {})
        with lock:
            taken = number in going
            if not taken:
                going[number] = request
        if taken:
            wire.send({"id": None, "error": f"The helper is at work on a request {number} already.", "user": False})
            continue
        thread = threading.Thread(target=run, args=(request,), name=f"{request.do} {number}", daemon=True)
        threads = [*(one for one in threads if one.is_alive()), thread]
        thread.start()
    with lock:
        for open_request in going.values():
            open_request.cancel()
    for thread in threads:  # a request that runs a process of its own ends it when it is cancelled
        thread.join(FAREWELL / len(threads))


def _read(line: bytes) -> dict[str, Any] | None:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict) or not isinstance(message.get("do"), str):
        return None
    if not isinstance(message.get("args") or {}, dict) or not isinstance(message.get("id"), (int, str)):
        return None
    return message


def _reply(request: Request, verbs: Mapping[str, Verb]) -> dict[str, Any]:
    number = request.number
    try:
        result = verbs[request.do](request)
        request.check()
        return {"id": number, "result": result}
    except CancelledRequest:
        return {"id": number, "error": "The request was cancelled.", "user": False, "cancelled": True}
    except UserError as error:
        return {"id": number, "error": error.sentence, "details": error.details, "user": True}
    except RunFailedError as error:
        return {"id": number, "error": error.sentence, "details": error.details, "user": False}
    except BaseException as error:
        details = traceback.format_exc()
        sys.stderr.write(details)
        sys.stderr.flush()
        return {"id": number, "error": _sentence(error), "details": details, "user": False}


def _sentence(error: BaseException) -> str:
    if is_out_of_memory(error):
        return "The memory ran out; choose a smaller model, or wait until a run that uses it has ended."
    if is_disk_full(error):
        return "The disk is full; free some space and ask again."
    first = next(iter(str(error).strip().splitlines()), "")[:200]
    said = f"{type(error).__name__}: {first}" if first else type(error).__name__
    return f"The helper met an error that it did not expect ({said}); its log has the details."
