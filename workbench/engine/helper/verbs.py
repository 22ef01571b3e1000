"""What the helper does. Inspecting data needs no torch, and does not wait for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.core.data.inspect import inspect_data, page_rows
from workbench.core.errors import UserError
from workbench.core.knobs import section_from
from workbench.core.models.locate import locate_model
from workbench.core.models.ready import ready_folder
from workbench.core.places import Workspace
from workbench.core.recipe import ModelSection, recipe_from_mapping
from workbench.engine.helper.requests import Request, Verb
from workbench.engine.results import find_result, read_run

if TYPE_CHECKING:
    from workbench.engine.generation.opening import Opened

EVENTS_PER_SECOND = 10
"""Most progress events of one request."""

POLL = 0.05
"""Seconds between two looks at whether a waiting request is cancelled."""


class Helper:
    """The helper's state: its workspace, and the one conversation that is open."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._importing = threading.Lock()
        self._loading = threading.Lock()
        self._key: tuple[Any, ...] = ()
        self._opened: Opened | None = None

    @property
    def verbs(self) -> dict[str, Verb]:
        return {
            "prepare": self.prepare,
            "skeleton": self.skeleton,
            "inspect": self.inspect,
            "rows": self.rows,
            "open_chat": self.open_chat,
            "chat": self.chat,
            "close_chat": self.close_chat,
        }

    def _import_engine(self, request: Request) -> None:
        """Import torch and what stands on it, once; one thread at a time, for imports that meet can fail."""
        import sys

        if "workbench.engine.generation.answering" in sys.modules and not self._importing.locked():
            return
        request.say("Starting the engine")
        with _held(self._importing, request):
            import workbench.engine.generation.answering
            import workbench.engine.prepare
            import workbench.engine.skeletons  # noqa: F401

    def _model_folder(self, model: ModelSection, request: Request) -> Path:
        folder = ready_folder(model, self.workspace)
        if folder is not None:
            return folder
        self._import_engine(request)
        from workbench.engine.prepare import prepare_model

        return prepare_model(model, self.workspace, request.say)

    def prepare(self, request: Request) -> dict[str, Any]:
        """`{model}` -> `{"folder", "skeleton"}`: the model as a folder that core can read."""
        from workbench.core.models.ready import cached_skeleton

        model = section_from(ModelSection, request.take("model", dict), "model")
        folder = ready_folder(model, self.workspace)
        skeleton = cached_skeleton(model, self.workspace)
        if folder is None or skeleton is None:
            self._import_engine(request)
            from workbench.engine.prepare import prepare_model

            folder = prepare_model(model, self.workspace, request.say)
            skeleton = cached_skeleton(model, self.workspace)
        return {"folder": str(folder), "skeleton": skeleton.to_json() if skeleton else None}

    def skeleton(self, request: Request) -> dict[str, Any]:
        """`{model}` -> `{"skeleton"}`: from the model's config alone; it needs neither weights nor a tokenizer."""
        from workbench.core.models.ready import cached_skeleton

        model = section_from(ModelSection, request.take("model", dict), "model")
        skeleton = cached_skeleton(model, self.workspace)
        if skeleton is None:
            self._import_engine(request)
            from workbench.engine.prepare import model_skeleton

            skeleton = model_skeleton(model, self.workspace, request.say)
        return {"skeleton": skeleton.to_json()}

    def inspect(self, request: Request) -> dict[str, Any]:
        """`{recipe, masks}` -> the report on the recipe's data."""
        recipe = recipe_from_mapping(request.take("recipe", dict))
        folder = self._model_folder(recipe.model, request)
        return inspect_data(recipe, folder, request.take("masks", int, 0), _counted(request))

    def rows(self, request: Request) -> dict[str, Any]:
        """`{recipe, start, count, held_out}` -> a page of rows."""
        recipe = recipe_from_mapping(request.take("recipe", dict))
        folder = self._model_folder(recipe.model, request)
        start, count = request.take("start", int, 0), request.take("count", int, 20)
        return page_rows(recipe, folder, start, count, request.take("held_out", bool, False))

    def open_chat(self, request: Request) -> dict[str, Any]:
        """`{run}` or `{model}` -> `{"sides", "shares_base", "seconds"}`: the last one opened stays in memory."""
        started = time.perf_counter()
        opened = self._open(request)
        return {
            "sides": list(opened.sides),
            "shares_base": opened.shares_base,
            "seconds": round(time.perf_counter() - started, 3),
        }

    def chat(self, request: Request) -> dict[str, Any]:
        """`{messages, sides, temperature, top_p, max_new_tokens, seed, complete}` -> every side's answer.

        Events: `prompt` with its text and ids, `text` with a side's next piece. With `run` or `model` beside them, that
        one is opened first where it is not open.
        """
        named = "run" in request.args or "model" in request.args
        opened = self._open(request) if named else self._opened
        if opened is None:
            raise UserError("No run is open to talk with; open one first.")
        from workbench.engine.generation.answering import answer
        from workbench.engine.generation.sampling import sampling_from

        sampling = sampling_from(request.args)
        with _held(opened.lock, request):
            return answer(
                opened,
                request.take("messages", list),
                request.take("sides", list, None) or list(opened.sides),
                sampling,
                request.take("complete", bool, False),
                request.tell,
                lambda: request.is_cancelled,
            )

    def close_chat(self, request: Request) -> dict[str, Any]:
        """`{}` -> `{}`: what is open is let go, and its memory with it."""
        with _held(self._loading, request):
            self._close(request)
        return {}

    def _open(self, request: Request) -> Opened:
        path = request.take("run", str, None)
        if path is not None:
            find_result(read_run(path)[0])
        else:
            locate_model(section_from(ModelSection, request.take("model", dict), "model").path)
        self._import_engine(request)
        from workbench.engine.generation.opening import open_base, open_beside, open_run
        from workbench.engine.generation.shelf import written

        with _held(self._loading, request):
            if path is not None:
                folder, _ = read_run(path)
                result = find_result(folder).folder
                key: tuple[Any, ...] = (str(folder.path), str(result), written(result))
            else:
                model = section_from(ModelSection, request.take("model", dict), "model")
                key = (model,)
            if self._opened is None or key != self._key:
                beside = None
                if path is not None and self._opened is not None:
                    with _held(self._opened.lock, request):
                        beside = open_beside(path, self._opened)
                if beside is not None:
                    self._key, self._opened = key, beside
                    return beside
                self._close(request)
                if path is not None:
                    opened = open_run(path, self.workspace, request.say)
                else:
                    opened = open_base(model, self.workspace, request.say)
                self._key, self._opened = key, opened
            return self._opened

    def _close(self, request: Request) -> None:
        """Let what is open go, once nobody answers with it."""
        opened = self._opened
        if opened is None:
            return
        with _held(opened.lock, request):
            self._key, self._opened = (), None
        del opened
        import gc

        import torch

        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _counted(request: Request) -> Callable[[int, int], None]:
    """Progress as events, a few a second, that also notices a cancellation."""
    last = 0.0

    def count(done: int, total: int) -> None:
        nonlocal last
        request.check()
        now = time.monotonic()
        if now - last >= 1 / EVENTS_PER_SECOND:
            last = now
            request.tell({"event": "progress", "text": f"{done:,} of {total:,} rows", "done": done, "total": total})

    return count


class _held:  # noqa: N801
    """`with _held(lock, request)`: the lock, waited for until it is free or the request is cancelled."""

    def __init__(self, lock: threading.Lock, request: Request) -> None:
        self._lock = lock
        self._request = request

    def __enter__(self) -> None:
        while not self._lock.acquire(timeout=POLL):
            self._request.check()

    def __exit__(self, *raised: object) -> None:
        self._lock.release()
