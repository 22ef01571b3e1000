"""The panel of lengths: a histogram, a slider on the longest row, and what becomes of longer ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.timer import Timer
from textual.widget import Widget

from workbench.app.messages import RecipeEdited
from workbench.app.panes.data.length_chart import GUTTER, Scale, chart, edge_at, scale_for, table
from workbench.app.reading import DataState
from workbench.app.widgets.drawn import Drawn
from workbench.app.widgets.knob_form import KnobForm
from workbench.app.widgets.stepping import next_value
from workbench.app.words import visible
from workbench.core.errors import UserError
from workbench.core.knobs import knobs_of
from workbench.core.memory.device import Device
from workbench.core.memory.estimate import Estimate
from workbench.core.models.skeleton import Skeleton
from workbench.core.recipe import DataSection, Recipe

SETTLE = 0.15
"""Seconds that the slider rests before the recipe follows it."""

LIMIT = knobs_of(DataSection)["max_length"]

FORM = {f"data.{name}": knobs_of(DataSection)[name] for name in ("over_length", "packing")}

BELOW = 14
"""Lines of the panel that are not the histogram: slider, axis, two curves, six figures, two fields, two gaps."""


class LengthSlider(Widget, can_focus=True):
    """The histogram; Left and Right, or the mouse, move the longest row."""

    ALLOW_SELECT = False
    HELP = (
        "Each column is a length in tokens, its height the rows that are so long. The slider below is data.max_length: "
        "Left and Right move it, Shift with them by one token, PgUp and PgDn by ten columns, End to the longest row, "
        "+ and - to the next power of two; or drag it with the mouse. The figures follow at once. Pale columns lie "
        "beyond it. A prompt is what is not trained on, an answer what is."
    )
    DEFAULT_CSS = """
    LengthSlider { height: auto; width: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "Shorter", key_display="Left"),
        Binding("right", "move(1)", "Longer", key_display="Right"),
        Binding("pageup", "move(-10)", "Much shorter", show=False),
        Binding("pagedown", "move(10)", "Much longer", show=False),
        Binding("shift+left", "nudge(-1)", "A token shorter", show=False),
        Binding("shift+right", "nudge(1)", "A token longer", show=False),
        Binding("minus", "double(False)", "Half", show=False),
        Binding("plus", "double(True)", "Double", show=False),
        Binding("home", "typical", "All but the longest twentieth", show=False),
        Binding("end", "longest", "The longest row", show=False),
    ]

    limit: reactive[int] = reactive(512, init=False, repaint=False)
    bars: reactive[int] = reactive(6, init=False, layout=True)
    """Lines of the histogram."""

    class Moved(Message):
        """The slider stands somewhere else."""

    def __init__(self) -> None:
        super().__init__(id="length-slider")
        self.report: Mapping[str, Any] | None = None
        self._dragging = False

    def show(self, report: Mapping[str, Any] | None) -> None:
        """Show these lengths."""
        if report is not self.report:
            bare = self.report is None or report is None
            self.report = report
            self.refresh(layout=bare)

    def validate_limit(self, limit: int) -> int:
        assert LIMIT.low is not None and LIMIT.high is not None
        return round(max(LIMIT.low, min(LIMIT.high, limit)))

    def watch_limit(self, before: int, now: int) -> None:
        """Repaint what has another colour now: the columns between the two places, and the slider's line."""
        if self.report is None:
            return
        scale = self._scale
        first, last = sorted(edge_at(scale, limit, self._longest) for limit in (before, now))
        between = Region(GUTTER + first, 0, last - first + scale.cell, self.bars)
        self.refresh(*((between,) if first != last else ()), Region(0, self.bars, self.content_size.width, 1))

    def render(self) -> Content:
        if self.report is None:
            return Content("")
        return chart(self.report, self.limit, self.content_size.width, self.bars, self.has_focus)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        return self.bars + 4 if self.report is not None else 0

    @property
    def _longest(self) -> int:
        return int(self.report["lengths"]["total"]["max"]) if self.report is not None else 0

    @property
    def _scale(self) -> Scale:
        return scale_for(self._longest, self.content_size.width - GUTTER)

    def _to(self, limit: int) -> None:
        before = self.limit
        self.limit = limit
        if self.limit != before:
            self.post_message(self.Moved())

    def action_move(self, columns: int) -> None:
        """By columns where there are rows; beyond the longest row by powers of two, and back to it."""
        longest, step = self._longest, self._scale.per
        if self.report is None:
            return
        if columns > 0 and self.limit >= longest:
            self.action_double(True)
        elif columns < 0 and self.limit > longest:
            self._to(longest)
        else:
            self._to(min(self.limit + columns * step, longest) if columns > 0 else self.limit + columns * step)

    def action_nudge(self, by: int) -> None:
        self._to(self.limit + by)

    def action_double(self, up: bool) -> None:
        self._to(int(next_value(LIMIT, self.limit, up)))

    def action_longest(self) -> None:
        if self.report is not None:
            self._to(self._longest)

    def action_typical(self) -> None:
        if self.report is not None:
            self._to(int(self.report["lengths"]["total"]["p95"]))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        self.focus()
        self.capture_mouse()
        self._dragging = True
        self._to_mouse(event)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._dragging:
            self._to_mouse(event)

    def on_mouse_up(self) -> None:
        self.release_mouse()
        self._dragging = False

    def _to_mouse(self, event: events.MouseEvent) -> None:
        if self.report is not None:
            self._to(min(self._longest, self._scale.length_at(int(event.x) - GUTTER)))


class Lengths(VerticalScroll, can_focus=False):
    """Slider, figures and the choices for longer rows."""

    DEFAULT_CSS = """
    Lengths { height: 1fr; }
    Lengths #length-figures { margin: 1 0; }
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(id="lengths")
        self.recipe = recipe
        self.state = DataState()
        self.skeleton: Skeleton | None = None
        self.device: Device | None = None
        self.slider = LengthSlider()
        self.slider.set_reactive(LengthSlider.limit, recipe.data.max_length)
        self.figures = Drawn(id="length-figures")
        self.form = KnobForm(FORM, recipe)
        self.report: Mapping[str, Any] | None = None
        """The report whose lengths are shown; they are the same whatever the longest row."""
        self._known: tuple[object, Mapping[str, Any] | None] = (None, None)
        """The last report, and the data that it is of."""
        self._before = recipe.data.max_length
        """The longest row that changes of memory are told against."""
        self._settling: Timer | None = None
        self._drawn: tuple[tuple[object, ...], Content] = (None,) * 7, Content("")
        """The last figures and what they were made of: a layout asks for them several times."""

    def compose(self) -> ComposeResult:
        yield self.slider
        yield self.figures
        yield self.form

    def focus_first(self) -> None:
        self._before = self.recipe.data.max_length
        self.slider.focus()

    def on_resize(self, event: events.Resize) -> None:
        self.slider.bars = max(3, min(10, event.size.height - BELOW))

    def show(self, recipe: Recipe, state: DataState, skeleton: Skeleton | None, device: Device | None) -> None:
        """Show these lengths against this recipe's longest row."""
        moved = recipe.data.max_length != self.recipe.data.max_length
        self.recipe, self.state, self.skeleton, self.device = recipe, state, skeleton, device
        if state.report is not None:
            self._known = (_apart_from_length(recipe), state.report)
        self.report = self._known[1] if self._known[0] == _apart_from_length(recipe) else None
        self.slider.show(self.report)
        if moved or self._settling is None:
            self.slider.limit = recipe.data.max_length
        self.form.show(recipe)
        self.figures.show(self._figures)

    def _figures(self, width: int) -> Content:
        report = self.report
        if report is None:
            said = self.state.problem or self.state.busy or "r reads it."
            return Content.styled(f"The lengths are known once the data has been read. {visible(said)}", "$quiet")
        from workbench.core.data.tokens.lengths import figures_at

        data, batch, limit = self.recipe.data, self.recipe.training.micro_batch, self.slider.limit
        key = (report, self.recipe, limit, self._before, self.skeleton, self.device, width)
        if any(one is not other for one, other in zip(key, self._drawn[0], strict=True)):
            found = figures_at(report["length_counts"], limit, data.over_length, batch)
            estimates = (self._estimate(report, self._before), self._estimate(report, limit))
            self._drawn = key, table(found, self._before, data.over_length, batch, estimates, width)
        if not self.state.problem:
            return self._drawn[1]
        return Content.assemble(self._drawn[1], "\n", (visible(self.state.problem), "$text-error"))

    def _estimate(self, report: Mapping[str, Any], limit: int) -> Estimate | None:
        """What a run would take with this longest row."""
        if self.skeleton is None or self.device is None:
            return None
        from workbench.core.memory.estimate import estimate_memory
        from workbench.core.memory.row_shape import row_shape

        try:
            changed = replace(self.recipe, data=replace(self.recipe.data, max_length=limit))
            return estimate_memory(changed, self.skeleton, self.device, row_shape({**report, "max_length": limit}))
        except UserError:
            return None

    def on_length_slider_moved(self, event: LengthSlider.Moved) -> None:
        """The figures follow at once, the recipe once the slider rests."""
        event.stop()
        self.figures.show(self._figures)
        if self._settling is not None:
            self._settling.stop()
        self._settling = self.set_timer(SETTLE, self._settle)

    def _settle(self) -> None:
        self._settling = None
        if self.slider.limit != self.recipe.data.max_length:
            self.post_message(RecipeEdited({"data.max_length": self.slider.limit}))


def _apart_from_length(recipe: Recipe) -> object:
    """The data without what is decided here: rows have the same lengths whatever becomes of them."""
    return recipe.model, replace(recipe.data, max_length=8, over_length="drop", packing="auto"), recipe.training.seed
