"""The memory pane itself."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import OptionList

from workbench.app.actions import bindings_for
from workbench.app.messages import Told
from workbench.app.panes.data.ask_line import AskLine
from workbench.app.panes.data.view_names import ViewNames
from workbench.app.panes.memory.advice_list import AdviceList
from workbench.app.panes.memory.calibrating import Calibrating
from workbench.app.panes.memory.cards_table import cards_table, limits_lines
from workbench.app.panes.memory.drawing import gauge, headline, parts_of, trace_line, trace_view
from workbench.app.panes.memory.elsewhere import elsewhere_help
from workbench.app.panes.memory.here import experience_line, here_view
from workbench.app.panes.memory.sliders import Sliders
from workbench.app.panes.memory.tree import ParameterTree, tree_heading
from workbench.app.widgets.drawn import Drawn
from workbench.app.words import visible
from workbench.core.errors import UserError
from workbench.core.memory.costs import keep_price, parse_price, read_price
from workbench.core.memory.traced import caution

VIEWS = {
    "peak": "Peak",
    "fit": "Fit",
    "parameters": "Parameters",
    "cards": "Cards",
    "here": "Here",
}
"""What stands below the sliders, by turns."""

LOW = 24
"""Lines of the pane below which only the lit slider is shown, and the gauge without its legend."""

TALL = 30
"""Lines from which the advice stands below the parts."""


class MemoryPane(Calibrating):
    """What the run will need."""

    BINDINGS = bindings_for("memory")
    HELP = (
        "The estimate comes from the shapes of the model, the method's knobs and the longest row of the data; no "
        "weight is read. The letters in the bar are the parts in the list below it. A moment after the last change two "
        "steps of the real model are traced, without weights, and stand beside the formula's figures. After a run, or "
        "after calibrating, what was measured stands here too."
    )
    DEFAULT_CSS = """
    MemoryPane #memory-scroll { height: 1fr; scrollbar-gutter: stable; }
    MemoryPane #memory-scroll > * { margin-bottom: 1; }
    MemoryPane #memory-scroll > .heading { margin-bottom: 0; }
    MemoryPane #sliders { margin: 1 0; }
    MemoryPane.-low #sliders { margin: 0; }
    MemoryPane #traced { height: auto; }
    """

    aspect: reactive[str] = reactive("peak", init=False)
    """What is shown below the sliders."""

    def __init__(self) -> None:
        super().__init__()
        self.peak, self.traced = Drawn(id="peak"), Drawn(id="traced")
        self.sliders, self.names = Sliders(), ViewNames(VIEWS)
        self.measured, self.parts, self.tensors = Drawn(id="measured"), Drawn(id="parts"), Drawn(id="tensors")
        self.advice_heading = Drawn(classes="heading")
        self.advice_list = AdviceList()
        self.limits_lines = Drawn(id="limits")
        self.tree_heading, self.branches = Drawn(classes="heading"), ParameterTree()
        self.cards, self.here = Drawn(id="cards"), Drawn(id="here")
        self.scroll = VerticalScroll(id="memory-scroll", can_focus=True)
        self.ask_line = AskLine()

    def explain_more(self) -> str:
        """The end of the pane's help: every measured run elsewhere that the estimate was held against."""
        return elsewhere_help()

    def compose(self) -> ComposeResult:
        yield self.peak
        yield self.traced
        yield self.sliders
        yield self.names
        with self.scroll:
            yield self.parts
            yield self.tensors
            yield self.advice_heading
            yield self.advice_list
            yield self.cards
            yield self.limits_lines
            yield self.tree_heading
            yield self.branches
            yield self.here
            yield self.measured
        yield self.ask_line

    def on_mount(self) -> None:
        self._arrange()
        self.begin()

    def focus_first(self) -> None:
        self.sliders.focus()

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.height < LOW, "-low")
        self.set_class(event.size.height >= TALL, "-tall")
        self.sliders.low = event.size.height < LOW
        self._arrange()

    def on_show(self) -> None:
        self.trace_soon()

    # what is shown

    @property
    def _shown(self) -> tuple[Widget, ...]:
        advice = (self.advice_heading, self.advice_list)
        return {
            "peak": (self.parts, self.tensors, *(advice if self.has_class("-tall") else ()), self.measured),
            "fit": (*advice, self.limits_lines),
            "parameters": (self.tree_heading, self.branches),
            "cards": (self.cards, self.limits_lines),
        }.get(self.aspect, (self.here, self.measured))

    def _arrange(self) -> None:
        self.names.active = self.aspect
        shown = self._shown
        for widget in self.scroll.children:
            widget.display = widget in shown
        self._show_advice()
        self.draw()

    def watch_aspect(self) -> None:
        self._arrange()
        self.scroll.scroll_home(animate=False)

    def draw(self) -> None:
        """Draw what the recipe's every change moves: the verdict, the gauge, the sliders, the parts, the tree."""
        estimate, low = self.estimate, self.has_class("-low")
        if estimate is None:
            note = visible(self.estimate_note) or "Looking at the model and the device"
            self.peak.show(Content.styled(note, "$quiet"))
            self.traced.show("")
            self.parts.show("")
            self.tensors.show("")
        else:
            trace = self.tracer.trace
            self.peak.show(lambda width: Content("\n").join([headline(estimate, low), gauge(estimate, width, not low)]))
            doubtful = caution(self.skeleton, self.recipe) if self.skeleton is not None else None
            self.traced.show(trace_line(estimate, trace, doubtful))
            self.parts.show(lambda width: parts_of(estimate, trace, width))
            self.tensors.show(lambda width: trace_view(trace, width))
        self.tensors.display = self.aspect == "peak" and estimate is not None and self.tracer.trace.traced is not None
        self.sliders.show(self.recipe, self.skeleton, self.limits if estimate is not None else None)
        if self.aspect == "parameters":
            kinds, added = self.kinds()
            self.tree_heading.show(lambda width: tree_heading(kinds, added, width) if kinds else Content(""))
            self.branches.show(kinds)

    def draw_plans(self) -> None:
        """Draw what takes longer to work out, once the recipe rests: advice, limits, cards, time and money."""
        estimate = self.estimate
        fits = estimate is None or estimate.verdict != "does not fit"
        self.advice_list.show(self.advice, fits)
        self.advice_heading.show("What would make it smaller" if fits else "What would make it fit")
        self._show_advice()
        self.sliders.show(self.recipe, self.skeleton, self.limits if estimate is not None else None)
        self.measured.show(experience_line(self.experience, estimate))
        known, progress = self.known(), self.progress
        if known is not None:
            self.here.show(lambda width: here_view(known, progress, width))
        limits, cards = self.limits, self.fits_on
        if estimate is None:
            self.limits_lines.show("")
            self.cards.show(Content.styled("No estimate, so no verdicts: the sentence above says why.", "$quiet"))
        else:
            self.limits_lines.show(limits_lines(limits, estimate))
            self.cards.show(lambda width: cards_table(estimate, cards, width))

    def _show_advice(self) -> None:
        shown = bool(self.advice) and self.advice_list in self._shown
        self.advice_heading.display = self.advice_list.display = shown

    @property
    def _advice_is_seen(self) -> bool:
        return self.advice_list.display and self.scroll.region.overlaps(self.advice_list.region)

    # what the person does

    def on_view_names_chosen(self, event: ViewNames.Chosen) -> None:
        event.stop()
        self.aspect = event.name

    def on_sliders_moved(self, event: Sliders.Moved) -> None:
        event.stop()
        self.change(event.settings)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.apply(event.option_index)

    def action_next_aspect(self) -> None:
        names = list(VIEWS)
        self.aspect = names[(names.index(self.aspect) + 1) % len(names)]

    def action_aspect(self, name: str) -> None:
        """Show one of the views, with the focus on what can be walked in it."""
        self.aspect = name
        walked: dict[str, Widget] = {"fit": self.advice_list, "parameters": self.branches}
        walked.get(name, self.scroll).focus()

    def action_apply(self) -> None:
        """Apply the lit advice; where none is seen, show it first, so that nothing is changed unseen."""
        at = self.advice_list.highlighted
        if at is None or not self.advice:
            self.post_message(Told("There is no advice: nothing simple would make this run smaller."))
        elif not self._advice_is_seen:
            self.action_aspect("fit")
        else:
            self.apply(at)

    def action_price(self) -> None:
        price = read_price(self.desk.workspace)
        given = f"{price.per_hour:g} {price.currency}".rstrip() if price else ""
        self.ask_line.ask("price", "An hour costs (such as 1.99 or 1.99 EUR; 0 takes it away):", given)

    def on_ask_line_answered(self, event: AskLine.Answered) -> None:
        event.stop()
        try:
            keep_price(self.desk.workspace, parse_price(event.text))
        except UserError as error:
            self.post_message(Told(error.sentence, "error"))
        self.aspect = "here"
        self.draw_plans()
        self.scroll.focus()

    def on_ask_line_left(self, event: AskLine.Left) -> None:
        event.stop()
        self.scroll.focus()
