"""The traced estimate in the background: asked a moment after the last change, dropped and asked anew by the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from textual.widget import Widget

from workbench.app.deferred import deferred
from workbench.app.reading import sentence_of
from workbench.core.memory.device import Device
from workbench.core.memory.traced import RELEVANT, Traced, find_traced, traced_from_json
from workbench.core.recipe import Recipe, recipe_to_mapping

if TYPE_CHECKING:
    from workbench.core.helper import Helper
    from workbench.core.memory.row_shape import RowShape
    from workbench.core.places import Workspace

REST = 1.0
"""Seconds without another change before a trace is begun."""

GROUP = "trace"


@dataclass(frozen=True, slots=True)
class Trace:
    """How far the tracing of the recipe is."""

    state: str = "none"
    """none, off, waiting, busy, done or failed."""
    traced: Traced | None = None
    problem: str = ""
    """Why it could not be traced, in one sentence."""


class Tracer:
    """Keeps the trace of the latest recipe; asks the helper, never twice for what takes the same memory."""

    def __init__(self, widget: Widget, helper: Callable[[], Helper], changed: Callable[[], None]) -> None:
        self.trace = Trace()
        self._widget = widget
        self._helper = helper
        self._changed = changed
        self._key: object = None
        self._failed: dict[object, str] = {}

    def follow(self, recipe: Recipe, rows: RowShape | None, device: Device, workspace: Workspace, wanted: bool) -> None:
        """Have this recipe's trace: the kept one at once, else one that is made a moment from now, where `wanted`."""
        key = (_relevant(recipe), rows, device.kind, device.name)
        if key == self._key and (self.trace.state in ("done", "failed") or wanted == (self.trace.state != "off")):
            return
        self._key = key
        self._widget.workers.cancel_group(self._widget, GROUP)
        known = find_traced(recipe, rows, device, workspace)
        if known is not None:
            self._show(Trace("done", known))
        elif key in self._failed:
            self._show(Trace("failed", problem=self._failed[key]))
        elif not wanted:
            self._show(Trace("off"))
        else:
            self._show(Trace("waiting"))
            self._widget.run_worker(deferred(self._ask, key, recipe, rows, device), group=GROUP, exclusive=True)

    def stop(self) -> None:
        """Ask no more until the recipe changes."""
        self._widget.workers.cancel_group(self._widget, GROUP)
        if self.trace.state in ("waiting", "busy"):
            self._show(Trace("off"))

    def forget(self) -> None:
        """There is nothing to trace."""
        self._widget.workers.cancel_group(self._widget, GROUP)
        self._key = None
        self._show(Trace())

    async def _ask(self, key: object, recipe: Recipe, rows: RowShape | None, device: Device) -> None:
        await asyncio.sleep(REST)
        self._show(Trace("busy"))
        found, wrong = await sentence_of(
            lambda: self._helper().request(
                "trace",
                recipe=recipe_to_mapping(recipe),
                rows=asdict(rows) if rows else None,
                device=device.to_json(),
            )
        )
        if key != self._key:
            return
        traced = traced_from_json(found) if found else None
        if traced is None:
            self._failed[key] = wrong or "The tracer's answer cannot be read."
            self._show(Trace("failed", problem=self._failed[key]))
        else:
            self._show(Trace("done", traced))

    def _show(self, trace: Trace) -> None:
        if trace != self.trace:
            self.trace = trace
            self._changed()


def _relevant(recipe: Recipe) -> Any:
    """What of a recipe its memory depends on, as a value that can be compared."""
    values = recipe_to_mapping(recipe)
    kept = {section: [values[section][key] for key in keys] for section, keys in RELEVANT.items()}
    return repr((values["model"], values["method"], kept))
