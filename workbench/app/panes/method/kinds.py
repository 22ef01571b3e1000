"""PEFT's kinds of adapters, asked of the helper once, and the knobs of the kind that the recipe names."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from textual.widget import Widget

from workbench.app.deferred import deferred
from workbench.app.reading import sentence_of
from workbench.core.errors import UserError
from workbench.core.files import read_json
from workbench.core.knobs import Knob
from workbench.core.methods.peft_kinds import Kind, config_file, peft_kinds
from workbench.core.methods.setting_knobs import setting_knobs
from workbench.core.recipe import MethodSection

if TYPE_CHECKING:
    from workbench.app.recipe_desk import RecipeDesk

GROUP = "kinds"


class KindsOfPeft:
    """What is known of PEFT's kinds. Empty until a recipe asks for one of them.

    `pane` is whose worker asks for them; `changed` is called when they are known, or are not to be had.
    """

    def __init__(self, pane: Widget, changed: Callable[[], Awaitable[None]]) -> None:
        self.busy = False
        self.problem = ""
        self.chosen: Kind | None = None
        """The kind that the recipe names."""
        self._pane = pane
        self._changed = changed
        self._method = MethodSection()
        self._kinds: tuple[Kind, ...] = ()
        self._module: str | None = None
        self._of_file: dict[str, Any] = {}
        """What the config file holds, where the recipe names one."""

    @property
    def names(self) -> list[str]:
        """The kinds' names."""
        return [kind.name for kind in self._kinds]

    @property
    def knobs(self) -> dict[str, Knob]:
        """The knobs of the chosen kind's settings; of a config file, with its values as the defaults."""
        if self.chosen is None:
            return {}
        return {
            name: replace(knob, default=self._of_file.get(name, knob.default))
            for name, knob in setting_knobs(self.chosen).items()
        }

    def follow(self, method: MethodSection) -> bool:
        """Keep up with the recipe; whether another kind is chosen than before."""
        before = self.chosen
        self.chosen = None
        self._method = method
        if method.name == "peft":
            module = str(method.knobs["module"])
            if module != self._module:
                self._module, self._kinds, self.busy, self.problem = module, (), True, ""
                self._pane.run_worker(deferred(self._ask, module), group=GROUP, exclusive=True)
            self._of_file = {} if method.knobs["kind"] else _file_values(str(method.knobs["config"]))
            name = str(method.knobs["kind"] or self._of_file.get("peft_type", "")).strip().upper()
            self.chosen = next((kind for kind in self._kinds if kind.name == name), None)
        return before is not self.chosen

    async def _ask(self, module: str) -> None:
        helper = cast("RecipeDesk", self._pane.app).helper
        _, wrong = await sentence_of(lambda: helper.request("kinds", module=module))
        if module != self._module:
            return
        if not wrong:
            try:
                self._kinds = await asyncio.to_thread(peft_kinds, module)  # a file by now
            except UserError as error:
                wrong = error.sentence
        self.busy, self.problem = False, wrong
        self.follow(self._method)
        await self._changed()


def _file_values(config: str) -> dict[str, Any]:
    """The config file's values; empty where there is none."""
    if not config:
        return {}
    try:
        values = read_json(config_file(config))
    except (UserError, OSError):
        return {}
    return values if isinstance(values, dict) else {}
