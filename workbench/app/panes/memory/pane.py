"""The memory pane itself."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Button, OptionList
from textual.widgets.option_list import Option

from workbench.app.actions import bindings_for
from workbench.app.messages import RecipeEdited, StartRequested, Told
from workbench.app.panes.memory.drawing import advice_line, gauge, headline, measured_line, parts_of
from workbench.app.panes.memory.measured import last_measured
from workbench.app.reading import DataState
from workbench.app.widgets.drawn import Drawn
from workbench.app.words import visible
from workbench.core.memory.advice import Advice, advise
from workbench.core.memory.device import Device
from workbench.core.memory.estimate import Estimate
from workbench.core.models.skeleton import Skeleton
from workbench.core.recipe import Recipe
from workbench.core.runs.listing import RunSummary


class AdviceList(OptionList):
    """Changes that would save memory; Enter applies the one that is lit."""

    HELP = (
        "Each line is a change to the recipe that would save memory, estimated and not guessed. Enter or a applies it."
    )
    DEFAULT_CSS = """
    AdviceList { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,space", "select", "Apply", key_display="Enter", show=False)]

    def __init__(self) -> None:
        super().__init__()
        self._advice: tuple[Advice, ...] = ()

    def show(self, advice: tuple[Advice, ...]) -> None:
        """Show this advice."""
        self._advice = advice
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        width = max(20, self.scrollable_content_region.width)
        lines = [advice_line(item.change, item.memory, item.time, width) for item in self._advice]
        before = [option.prompt for option in self.options]
        if len(lines) == len(before):
            for place, line in enumerate(lines):
                if line != before[place]:
                    self.replace_option_prompt_at_index(place, line)
        else:
            at = self.highlighted
            self.set_options(Option(line) for line in lines)
            self.highlighted = min(at or 0, len(lines) - 1) if lines else None


class MemoryPane(Vertical):
    """What the run will need."""

    BINDINGS = bindings_for("memory")
    HELP = (
        "The estimate comes from the shapes of the model, the method's knobs and the longest row of the data; no "
        "weight is read. The letters in the bar are the parts in the list below it. After a run, the measured peak "
        "stands here."
    )
    DEFAULT_CSS = """
    MemoryPane #memory-scroll { height: 1fr; }
    MemoryPane #memory-scroll > * { margin-bottom: 1; }
    MemoryPane #memory-scroll > .heading { margin-bottom: 0; }
    MemoryPane.-low #peak { margin-bottom: 0; }
    MemoryPane.-low #start { display: none; }
    """

    recipe: reactive[Recipe] = reactive(Recipe, init=False, repaint=False)
    skeleton: reactive[Skeleton | None] = reactive(None, init=False, repaint=False)
    device: reactive[Device | None] = reactive(None, init=False, repaint=False)
    data_state: reactive[DataState] = reactive(DataState(), init=False, repaint=False)
    estimate: reactive[Estimate | None] = reactive(None, init=False, repaint=False)
    estimate_note: reactive[str] = reactive("", init=False, repaint=False)
    runs: reactive[tuple[RunSummary, ...]] = reactive((), init=False, repaint=False)

    def __init__(self) -> None:
        super().__init__()
        self.advice: tuple[Advice, ...] = ()
        self._due = False
        self.peak, self.measured, self.parts = Drawn(id="peak"), Drawn(id="measured"), Drawn(id="parts")
        self.advice_heading = Drawn(lambda _: Content("What would make it smaller"), classes="heading")
        self.advice_list = AdviceList()
        self.scroll = VerticalScroll(id="memory-scroll", can_focus=True)

    def compose(self) -> ComposeResult:
        with self.scroll:
            yield self.peak
            yield self.measured
            yield self.parts
            yield self.advice_heading
            yield self.advice_list
        yield Button("Start a run", id="start", compact=True)

    def on_mount(self) -> None:
        self.watch_runs()
        self._show()

    def focus_first(self) -> None:
        """The advice, unless that would scroll the figures away."""
        (self.advice_list if self.advice and not self.scroll.max_scroll_y else self.scroll).focus()

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.height < 24, "-low")

    def watch_recipe(self) -> None:
        self._changed()

    def watch_estimate(self) -> None:
        self._changed()

    def watch_estimate_note(self) -> None:
        self._changed()

    def _changed(self) -> None:
        """Draw once all that comes down with one change is there: recipe and estimate belong together."""
        if not self._due:
            self._due = True
            self.call_later(self._show)

    def watch_runs(self) -> None:
        self.measured.show(measured_line(last_measured(self.runs)))

    def _show(self) -> None:
        self._due = False
        estimate = self.estimate
        if estimate is None:
            note = visible(self.estimate_note) or "Looking at the model and the device"
            self.peak.show(Content.styled(note, "$quiet"))
            self.parts.show("")
            self.advice = ()
        else:
            self.peak.show(lambda width: Content("\n").join([headline(estimate), gauge(estimate, width)]))
            self.parts.show(lambda width: parts_of(estimate, width))
            self.advice = self._advise()
        self.advice_list.show(self.advice)
        self.advice_heading.display = bool(self.advice)

    def _advise(self) -> tuple[Advice, ...]:
        if self.skeleton is None or self.device is None:
            return ()
        return advise(self.recipe, self.skeleton, self.device, self.data_state.rows)

    # what the person does

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self._apply(event.option_index)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.post_message(StartRequested())

    def action_apply(self) -> None:
        at = self.advice_list.highlighted
        if at is None:
            self.post_message(Told("There is no advice: nothing simple would make this run smaller."))
        else:
            self._apply(at)

    def _apply(self, at: int) -> None:
        if at < len(self.advice):
            self.post_message(RecipeEdited(self.advice[at].settings))
