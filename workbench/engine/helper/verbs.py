"""What the helper does. Inspecting data needs no torch, and does not wait for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.core.data.files.folders import list_splits
from workbench.core.data.files.hub import about_fetched, hub_data, is_fetched, unfetched
from workbench.core.data.files.sources import find_source
from workbench.core.data.inspect import inspect_data, page_rows
from workbench.core.errors import UserError
from workbench.core.knobs import section_from
from workbench.core.models.locate import locate_model
from workbench.core.models.ready import ready_folder
from workbench.core.places import Workspace
from workbench.core.recipe import DataSection, ModelSection, Recipe, recipe_from_mapping
from workbench.engine.fetching import fetch_data, list_choices
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
        self._fetching = threading.Lock()
        self._key: tuple[Any, ...] = ()
        self._opened: Opened | None = None

    @property
    def verbs(self) -> dict[str, Verb]:
        return {
            "prepare": self.prepare,
            "skeleton": self.skeleton,
            "data_choices": self.data_choices,
            "fetch_data": self.fetch_data,
            "inspect": self.inspect,
            "rows": self.rows,
            "templates": self.templates,
            "search": self.search,
            "columns": self.columns,
            "clean": self.clean,
            "trace": self.trace,
            "calibrate": self.calibrate,
            "kinds": self.kinds,
            "count": self.count,
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

    def data_choices(self, request: Request) -> dict[str, Any]:
        """`{source, revision}` -> `{"default", "subsets": {subset: [split, …]}, …}` of a folder or of Hub data."""
        source, revision = request.take("source", str), request.take("revision", str, None)
        hub = hub_data(source, DataSection())
        if hub is None:
            return {"name": source, "revision": None, "default": None, "subsets": _local_splits(source)}
        return list_choices(hub.name, revision, request.say, request.check)

    def fetch_data(self, request: Request) -> dict[str, Any]:
        """`{recipe}` -> `{"fetched": [{"name", "subset", "split", "revision", "rows"}, …]}`: what was not there yet."""
        return {"fetched": self._fetch(recipe_from_mapping(request.take("recipe", dict)), request)}

    def _fetch(self, recipe: Recipe, request: Request) -> list[dict[str, Any]]:
        """Have all of the recipe's Hub data in the cache."""
        missing = unfetched(recipe.data, self.workspace)
        if missing:
            with _held(self._fetching, request):
                for data in missing:
                    if not is_fetched(data, self.workspace):  # another request may have been quicker
                        fetch_data(data, self.workspace, request.say, request.check)
        return [about_fetched(data, self.workspace) for data in missing]

    def _ready(self, request: Request) -> tuple[Recipe, Path]:
        """The request's recipe and its model's folder, with all data at hand."""
        recipe = recipe_from_mapping(request.take("recipe", dict))
        folder = self._model_folder(recipe.model, request)
        self._fetch(recipe, request)
        return recipe, folder

    def inspect(self, request: Request) -> dict[str, Any]:
        """`{recipe, masks, sets}` -> the report on the recipe's data."""
        recipe, folder = self._ready(request)
        masks, sets = request.take("masks", int, 0), request.take("sets", bool, False)
        return inspect_data(recipe, folder, masks, _counted(request), self.workspace, sets)

    def rows(self, request: Request) -> dict[str, Any]:
        """`{recipe, start, count, held_out}` or `{recipe, numbers, held_out}` -> a page of rows."""
        recipe, folder = self._ready(request)
        start, count = request.take("start", int, 0), request.take("count", int, 20)
        held_out, numbers = request.take("held_out", bool, False), request.take("numbers", list, None)
        return page_rows(recipe, folder, start, count, held_out, self.workspace, _counted(request), numbers)

    def templates(self, request: Request) -> dict[str, Any]:
        """`{recipe, row, held_out}` -> that row in every chat template."""
        from workbench.core.data.templates.previews import preview_templates

        recipe, folder = self._ready(request)
        row, held_out = request.take("row", int), request.take("held_out", bool, False)
        return preview_templates(recipe, folder, row, self.workspace, held_out)

    def search(self, request: Request) -> dict[str, Any]:
        """`{recipe, text, start}` -> `{"rows", "total", "searched"}`: numbers of the rows that hold the text."""
        from workbench.core.data.search import search_rows

        recipe = recipe_from_mapping(request.take("recipe", dict))
        self._fetch(recipe, request)
        text, start = request.take("text", str), request.take("start", int, 0)
        return search_rows(recipe, text, start, _counted(request), self.workspace)

    def columns(self, request: Request) -> dict[str, Any]:
        """`{recipe}` -> `{"columns": {name: its first value}}`, also where no format fits."""
        from workbench.core.data.columns import list_columns

        recipe = recipe_from_mapping(request.take("recipe", dict))
        self._fetch(recipe, request)
        return {"columns": list_columns(recipe, self.workspace)}

    def clean(self, request: Request) -> dict[str, Any]:
        """`{recipe, to}` -> `{"path", "rows", "source_rows", "bytes"}`: the rows that are left, saved to a file."""
        from workbench.core.data.clean import save_clean

        recipe, folder = self._ready(request)
        return save_clean(recipe, folder, Path(request.take("to", str)), _counted(request), self.workspace)

    def trace(self, request: Request) -> dict[str, Any]:
        """`{recipe, rows, device}` -> what two traced steps would take, by a process of its own; kept from then on.

        `rows` is {tokens, trained} or null, `device` as `Device.to_json` gives it; torch is not imported here.
        """
        from workbench.core.memory.device import Device
        from workbench.core.memory.row_shape import RowShape
        from workbench.core.memory.traced import trace_memory

        recipe = recipe_from_mapping(request.take("recipe", dict))
        rows, device = request.take("rows", dict, None), Device(**request.take("device", dict))
        request.say("Tracing two steps")
        shape = RowShape(int(rows["tokens"]), int(rows["trained"])) if rows else None
        return trace_memory(recipe, shape, device, self.workspace, request.check).to_json()

    def calibrate(self, request: Request) -> dict[str, Any]:
        """`{recipe}` -> what two real steps took, by a process of their own; remembered for the estimates to come."""
        from workbench.core.memory.rehearsed import rehearse_recipe

        recipe = recipe_from_mapping(request.take("recipe", dict))
        return rehearse_recipe(recipe, self.workspace, request.say, request.check)

    def kinds(self, request: Request) -> dict[str, Any]:
        """`{module}` -> `{"kinds"}`: how many PEFT has; kept, so that `peft_kinds` needs no engine from then on."""
        from workbench.core.methods.peft_kinds import peft_kinds

        return {"kinds": len(peft_kinds(request.take("module", str, "")))}

    def count(self, request: Request) -> dict[str, Any]:
        """`{recipe}` -> `{"refused"}`: a method that is counted by building it is counted, and the count is kept.

        The sentence says why the method does not fit, and is null where it does. The skeleton is the cached one.
        """
        from workbench.core.models.ready import cached_skeleton

        recipe = recipe_from_mapping(request.take("recipe", dict))
        skeleton = cached_skeleton(recipe.model, self.workspace)
        if skeleton is None:
            raise UserError("The model's layers have not been read yet.")
        request.say("Building the method on the model, without weights")
        return {"refused": recipe.method.facts.reason_against(skeleton, recipe.method.knobs)}

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


def _local_splits(source: str) -> dict[str, list[str]]:
    place = find_source(source)
    return list_splits(place) if place.is_dir() else {"default": []}


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
