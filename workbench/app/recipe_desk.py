"""The app's half that holds the recipe: its edits, what is known of its model and data, and the estimate."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from textual.app import App
from textual.reactive import reactive

from workbench.app.deferred import deferred
from workbench.app.messages import RecipeEdited, RecipeOpened, Told
from workbench.app.words import visible
from workbench.core.errors import UserError
from workbench.core.places import Workspace

if TYPE_CHECKING:
    from workbench.app.reading import DataState
    from workbench.core.helper import Helper
    from workbench.core.memory.device import Device
    from workbench.core.memory.estimate import Estimate
    from workbench.core.memory.experience import Experience
    from workbench.core.models.skeleton import Skeleton
    from workbench.core.recipe import Recipe

LATER: Any = None
"""Stands in for a value whose module is imported after the first screen is painted."""

SETTLE = 0.3
"""Seconds without another edit before changed data is read again."""


class RecipeDesk(App[None]):
    """Panes ask for changes by RecipeEdited; what follows from a change comes down as reactives."""

    recipe: reactive[Recipe] = reactive(LATER, init=False, repaint=False)
    skeleton: reactive[Skeleton | None] = reactive(None, init=False, repaint=False)
    model_note: reactive[str] = reactive("", repaint=False)
    """What is going on with the model, or why it cannot be used; empty where its skeleton is there."""
    device: reactive[Device | None] = reactive(None, init=False, repaint=False)
    experience: reactive[Experience | None] = reactive(None, init=False, repaint=False)
    """How wrong the estimate has been on this device; None while that has not been read."""
    estimate: reactive[Estimate | None] = reactive(None, repaint=False)
    estimate_note: reactive[str] = reactive("", repaint=False)
    """Why there is no estimate."""
    data_state: reactive[DataState] = reactive(LATER, init=False, repaint=False)

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self.workspace = workspace
        self.unsaved = ""
        """Why the recipe could not be kept for the next start; empty where it is kept."""
        self._helper: Helper | None = None
        self._told = ("", 0.0)
        """What was said last, and when."""
        self._counted: object = None
        """The model and method that the helper has been asked to count last, with no count to keep."""

    @property
    def helper(self) -> Helper:
        """The helper process's client, made when first needed."""
        if self._helper is None:
            from workbench.core.helper import Helper

            self._helper = Helper(self.workspace)
        return self._helper

    async def on_unmount(self) -> None:
        """The helper ends with the app, however that ends."""
        if self._helper is not None:
            await self._helper.close()

    def tell(self, sentence: str, severity: str = "information") -> None:
        """Show a sentence in passing; one that is said again and again stands there once."""
        level: Any = severity
        now = time.monotonic()
        if self._told[0] == sentence and now - self._told[1] < self.NOTIFICATION_TIMEOUT:
            return
        self._told = (sentence, now)
        self.notify(visible(sentence), severity=level, markup=False)

    def on_told(self, event: Told) -> None:
        event.stop()
        self.tell(event.sentence, event.severity)

    # edits

    def on_recipe_edited(self, event: RecipeEdited) -> None:
        event.stop()
        self.edit(event.settings)

    def on_recipe_opened(self, event: RecipeOpened) -> None:
        event.stop()
        self.open_recipe(event.path)

    def edit(self, settings: Mapping[str, Any]) -> bool:
        """Change the recipe; where it cannot be, say why and keep the old one."""
        from workbench.core.recipe import change_recipe

        try:
            self.recipe = change_recipe(self.recipe, settings)
        except UserError as error:
            self.tell(error.sentence, "error")
            return False
        return True

    def open_recipe(self, path: str) -> bool:
        """Take another recipe from a file; where it cannot be read, say why and keep the old one."""
        from workbench.core.recipe import load_recipe

        try:
            self.recipe = load_recipe(path)
        except UserError as error:
            self.tell(error.sentence, "error")
            return False
        return True

    def open_first_recipe(self, given: Recipe | None) -> None:
        """Begin with the given recipe, else the last one, else a new one."""
        from workbench.app.reading import DataState
        from workbench.core.recipe import load_recipe, recipe_from_mapping

        recipe = given
        if recipe is None and self.workspace.last_recipe.exists():
            try:
                recipe = load_recipe(self.workspace.last_recipe)
            except UserError as error:
                self.tell(f"The last recipe cannot be read, so this is a new one. {error.sentence}", "warning")
        self.set_reactive(RecipeDesk.data_state, DataState())
        self.recipe = recipe or recipe_from_mapping({})

    def watch_recipe(self, before: Recipe | None, now: Recipe) -> None:
        from workbench.app.reading import DataState, data_key, model_key

        if before is None:
            return
        self._keep_recipe()
        if model_key(before) != model_key(now):
            self.skeleton = None
            self.data_state = DataState()
            self._read()
        elif data_key(before) != data_key(now):
            self._read()
        self._estimate()

    def _keep_recipe(self) -> None:
        """Write the recipe for the next start; a disk that is full is said once."""
        from workbench.core.recipe import save_recipe

        try:
            save_recipe(self.recipe, self.workspace.last_recipe)
        except UserError as error:
            if not self.unsaved:
                self.tell(error.sentence, "error")
            self.unsaved = error.sentence
        else:
            self.unsaved = ""

    # what follows from them

    def begin_reading(self) -> None:
        """Look at the device, the model and the data; called once the first screen is drawn."""
        self.look_at_device()
        self._read(at_once=True)

    def read_again(self) -> None:
        """Read the data again, though the recipe is the same."""
        self._read(at_once=True)

    def stop_reading(self) -> None:
        """Stop reading the data; what was read before stays."""
        from workbench.app.reading import DataState

        self.workers.cancel_group(self, "reading")
        self.data_state = DataState(self.data_state.report, stopped=True)

    def look_at_device(self) -> None:
        """Ask again what memory is free."""
        self.run_worker(deferred(self.find_device), group="device", exclusive=True)

    async def find_device(self) -> None:
        """Find the device, what is free of it, and how wrong estimates have been on it; estimate then."""
        from workbench.core.memory.device import find_device
        from workbench.core.memory.experience import read_experience

        device = await asyncio.to_thread(find_device)
        self.experience = await asyncio.to_thread(read_experience, self.workspace, device)
        self.device = device
        self._estimate()

    def _read(self, at_once: bool = False) -> None:
        self.run_worker(
            deferred(self._read_model_and_data, 0.0 if at_once else SETTLE), group="reading", exclusive=True
        )

    async def _read_model_and_data(self, delay: float) -> None:
        await asyncio.sleep(delay)
        if self.skeleton is None:
            await self._read_model()
        if self.skeleton is not None:
            await self._read_data()
        self._estimate()

    async def _read_model(self) -> None:
        from workbench.app.reading import DataState, model_key, read_skeleton, sentence_of

        def say(text: str, share: float | None = None) -> None:
            self.model_note = self.estimate_note = text
            self.data_state = DataState(busy=text, share=share)

        recipe = self.recipe
        found, wrong = await sentence_of(lambda: read_skeleton(self.helper, recipe, self.workspace, say))
        if model_key(recipe) == model_key(self.recipe):
            self.model_note = wrong
            self.skeleton = found
            if wrong:
                self.data_state = DataState(problem=wrong)
            else:
                self._estimate()

    async def _read_data(self) -> None:
        from workbench.app.reading import DataState, data_key, read_data, sentence_of

        def say(text: str, share: float | None = None) -> None:
            self.data_state = DataState(self.data_state.report, "", text, share)

        recipe = self.recipe
        report, wrong = await sentence_of(lambda: read_data(self.helper, recipe, self.workspace, say))
        if data_key(recipe) == data_key(self.recipe):
            self.data_state = DataState(report, wrong, "")

    def _estimate(self) -> None:
        """Estimate the memory anew; it takes some milliseconds."""
        if self.skeleton is None or self.device is None:
            self.estimate, self.estimate_note = None, self.model_note
            return
        from workbench.app.counting import COUNTING
        from workbench.core.memory.calibrated import verdict_here
        from workbench.core.memory.estimate import estimate_memory
        from workbench.core.methods.counted import is_counted

        if not is_counted(self.recipe.method, self.skeleton):
            self.estimate = None
            if self._counted == (self.recipe.model, self.recipe.method):
                return  # it was tried, and the sentence that came of it stands
            self.estimate_note = COUNTING
            self.run_worker(deferred(self._count), group="counting", exclusive=True)
            return
        try:
            estimate = estimate_memory(self.recipe, self.skeleton, self.device, self.data_state.rows)
            if self.experience is not None:
                estimate = replace(estimate, verdict=verdict_here(estimate, self.experience))
            self.estimate, self.estimate_note = estimate, ""
        except UserError as error:
            self.estimate, self.estimate_note = None, error.sentence

    async def _count(self) -> None:
        """Have the helper count what the recipe's method trains, and estimate then."""
        from workbench.app.reading import sentence_of
        from workbench.core.methods.counted import is_counted
        from workbench.core.recipe import recipe_to_mapping

        await asyncio.sleep(SETTLE)
        recipe, skeleton = self.recipe, self.skeleton
        found, wrong = await sentence_of(lambda: self.helper.request("count", recipe=recipe_to_mapping(recipe)))
        if skeleton is None or (recipe.model, recipe.method) != (self.recipe.model, self.recipe.method):
            return
        if is_counted(recipe.method, skeleton):
            self._estimate()
        else:
            self._counted = (recipe.model, recipe.method)
            self.estimate_note = wrong or str((found or {}).get("refused") or "It could not be counted.")
