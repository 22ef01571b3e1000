"""What the memory pane knows beside the estimate: advice and its undoing, limits, cards, past errors, time, money."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from textual.containers import Vertical
from textual.reactive import reactive
from textual.timer import Timer

from workbench.app.deferred import deferred
from workbench.app.messages import RecipeEdited, Told
from workbench.app.panes.memory.here import Known, free_disk
from workbench.app.panes.memory.tracing import Tracer
from workbench.app.preferences import load_preferences, save_preference
from workbench.app.reading import DataState
from workbench.core.errors import UserError
from workbench.core.memory.advice import Advice, advise
from workbench.core.memory.costs import expected_duration, read_price
from workbench.core.memory.device import Device
from workbench.core.memory.disk import disk_needed
from workbench.core.memory.estimate import Estimate
from workbench.core.memory.experience import Experience
from workbench.core.memory.limits import Limits, find_limits, fits_on_cards
from workbench.core.memory.parameters import Branch, parameter_tree
from workbench.core.memory.row_shape import RowShape
from workbench.core.models.skeleton import Skeleton
from workbench.core.recipe import Recipe, recipe_to_mapping

if TYPE_CHECKING:
    from workbench.app.recipe_desk import RecipeDesk

REST = 0.12
"""Seconds without another change before what takes longer to work out is worked out."""

REMEMBERED = 100
"""Changes that can be taken back."""


Plans = tuple[tuple[Advice, ...], Limits | None, list[dict[str, Any]]]
"""Advice, limits, and the verdict on each card."""


class Planning(Vertical):
    """The state of the pane; it draws nothing."""

    recipe: reactive[Recipe] = reactive(Recipe, init=False, repaint=False)
    skeleton: reactive[Skeleton | None] = reactive(None, init=False, repaint=False)
    device: reactive[Device | None] = reactive(None, init=False, repaint=False)
    data_state: reactive[DataState] = reactive(DataState(), init=False, repaint=False)
    experience: reactive[Experience | None] = reactive(None, init=False, repaint=False)
    estimate: reactive[Estimate | None] = reactive(None, init=False, repaint=False)
    estimate_note: reactive[str] = reactive("", init=False, repaint=False)

    def __init__(self) -> None:
        super().__init__()
        self.advice: tuple[Advice, ...] = ()
        self.limits: Limits | None = None
        self.fits_on: list[dict[str, Any]] = []
        self.tracer = Tracer(self, lambda: self.desk.helper, self.draw)
        self._past: list[_Change] = []
        """Changes of this pane, the last one last."""
        self._begun = False
        self._due = False
        self._resting: Timer | None = None
        self._branches: tuple[object, tuple[Branch, ...], bool] = (None, (), False)

    @property
    def desk(self) -> RecipeDesk:
        return cast("RecipeDesk", self.app)

    def draw(self) -> None:
        """Draw what moves with every change."""
        raise NotImplementedError

    def draw_plans(self) -> None:
        """Draw what is worked out once the recipe rests."""
        raise NotImplementedError

    def begin(self) -> None:
        """Take everything up that was handed down before the pane was there."""
        self._begun = True
        self._changed()

    # what comes down

    def watch_recipe(self) -> None:
        self._changed()

    def watch_estimate(self) -> None:
        self._changed()

    def watch_estimate_note(self) -> None:
        self._changed()

    def watch_data_state(self) -> None:
        self._changed()

    def watch_experience(self) -> None:
        self._changed()

    def _changed(self) -> None:
        """Draw once all that comes down with one change is there: recipe and estimate belong together."""
        if not self._due and self._begun:
            self._due = True
            self.call_later(self._show)

    def _show(self) -> None:
        self._due = False
        self.draw()
        if self._resting is None:
            self._resting = self.set_timer(REST, self._plan)
        else:
            self._resting.reset()
            self._resting.resume()
        self.trace_soon()

    def _plan(self) -> None:
        """Work out advice, limits and cards: some tens of milliseconds for a large model."""
        if self._resting is not None:
            self._resting.stop()
            self._resting = None
        self.run_worker(deferred(self._plan_ahead), group="plans", exclusive=True)

    async def _plan_ahead(self) -> None:
        """Bring all of it up to date; in a thread, since a large model takes some hundred milliseconds."""
        recipe, skeleton, device, rows = self.recipe, self.skeleton, self.device, self.data_state.rows
        plans: Plans = ((), None, [])
        if self.estimate is not None and skeleton is not None and device is not None:
            plans = await asyncio.to_thread(_work_out, recipe, skeleton, device, rows)
        if recipe is self.recipe:
            self.advice, self.limits, self.fits_on = plans
            self.draw_plans()

    def kinds(self) -> tuple[tuple[Branch, ...], bool]:
        """Every parameter as a tree, and whether what is trained is added to the base."""
        if self.skeleton is None or self.estimate is None:
            return (), False
        key = (self.skeleton, self.recipe.method)
        if self._branches[0] is None or key != self._branches[0]:
            method = self.recipe.method
            try:
                count = method.facts.count(self.skeleton, method.knobs)
            except UserError:
                return (), False
            self._branches = (key, parameter_tree(self.skeleton, count), count.added)
        return self._branches[1:]

    def known(self) -> Known | None:
        """What this machine has shown of such runs."""
        if self.experience is None:
            return None
        duration = expected_duration(self.recipe, self.data_state.report, self.experience)
        disk = disk_needed(self.recipe, self.estimate) if self.estimate is not None else {}
        workspace = self.desk.workspace
        return Known(self.experience, duration, read_price(workspace), disk, free_disk(workspace))

    # tracing

    @property
    def traces(self) -> bool:
        """Whether a trace is made by itself."""
        return load_preferences(self.desk.workspace).get("trace") is not False

    def trace_soon(self) -> None:
        """Have the recipe traced, where the pane is seen and the recipe can be estimated."""
        if not self._begun or not self.display:
            return
        if self.estimate is None or self.device is None:
            self.tracer.forget()
        elif not self.data_state.busy:
            self.tracer.follow(self.recipe, self.data_state.rows, self.device, self.desk.workspace, self.traces)

    def action_trace(self) -> None:
        wanted = not self.traces
        save_preference(self.desk.workspace, "trace", wanted)
        if wanted:
            self.trace_soon()
        else:
            self.tracer.stop()
        self.post_message(
            Told("Each change is traced a moment later." if wanted else "Nothing is traced by itself any more.")
        )

    # changes and taking them back

    def change(self, settings: Mapping[str, Any], words: str = "") -> None:
        """Change the recipe, and remember how it was. Moves of one slider that follow each other are one change."""
        last = self._past[-1] if self._past else None
        if last is not None and not words and not last.words and last.after.keys() == settings.keys():
            self._past[-1] = replace(last, after=dict(settings))
        else:
            self._past = [*self._past[1 - REMEMBERED :], _Change(_before(self.recipe, settings), dict(settings), words)]
        self.post_message(RecipeEdited(dict(settings)))

    def apply(self, at: int) -> None:
        """Change the recipe as a piece of advice says."""
        if at < len(self.advice):
            advice = self.advice[at]
            self.change(advice.settings, advice.change)
            self.post_message(Told(f"{advice.change[:1].upper()}{advice.change[1:]}. u takes that back."))

    def action_undo(self) -> None:
        """Take back the last change that was made here, of those that still stand in the recipe."""
        while self._past and not self._past[-1].stands_in(self.recipe):
            self._past.pop()
        if not self._past:
            self.post_message(Told("There is no change of this pane to take back."))
            return
        change = self._past.pop()
        self.post_message(RecipeEdited(change.before))
        names = change.words or ", ".join(key.partition(".")[2].replace("_", " ") for key in change.before)
        self.post_message(Told(f"Taken back: {names}."))


@dataclass(frozen=True, slots=True)
class _Change:
    """A change of the recipe."""

    before: dict[str, Any]
    """What it replaced, as settings."""
    after: dict[str, Any]
    words: str

    def stands_in(self, recipe: Recipe) -> bool:
        """Whether nothing else has changed the same settings since, as another recipe that was opened does."""
        values = recipe_to_mapping(recipe)

        def holds(settings: dict[str, Any]) -> bool:
            split = ((key.partition("."), value) for key, value in settings.items())
            return all(values[section].get(name) == value for (section, _, name), value in split)

        return holds(self.after) or holds(self.before)  # it may be on its way to the recipe still


def _work_out(recipe: Recipe, skeleton: Skeleton, device: Device, rows: RowShape | None) -> Plans:
    try:
        return (
            advise(recipe, skeleton, device, rows),
            find_limits(recipe, skeleton, device, rows),
            fits_on_cards(recipe, skeleton, rows),
        )
    except UserError:
        return (), None, []


def _before(recipe: Recipe, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe's own values of what these settings replace; of another method, all of the present one's."""
    values = recipe_to_mapping(recipe)
    keys = list(settings)
    if settings.get("method.name", recipe.method.name) != recipe.method.name:
        keys = [key for key in keys if not key.startswith("method.")]
        keys += [f"method.{name}" for name in values["method"]]
    return {key: values[key.partition(".")[0]][key.partition(".")[2]] for key in keys}
