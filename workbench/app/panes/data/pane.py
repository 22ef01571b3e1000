"""The data pane itself: the rows, and beside them or in their place the set-up, the findings or the lengths."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.reactive import reactive
from textual.widget import Widget

from workbench.app.actions import bindings_for
from workbench.app.messages import RecipeEdited, Told
from workbench.app.panes.data.browsing import VIEWS
from workbench.app.panes.data.choosing import Choosing
from workbench.app.panes.data.findings import Findings
from workbench.app.panes.data.lengths import Lengths
from workbench.app.panes.data.set_up import SetUp
from workbench.app.panes.data.view_names import ViewNames
from workbench.app.reading import DataState, data_key
from workbench.core.memory.device import Device
from workbench.core.models.skeleton import Skeleton
from workbench.core.recipe import DataSection, Recipe
from workbench.core.words import count_text

THREE = 92
"""Columns from which the three views stand side by side."""

SIDE = 58
"""Columns of what stands beside the rows."""

SIDE_SHOWN = 150
"""Columns of the pane from which it stands there without being asked for."""

SIDE_BESIDE = 116
"""Columns from which it stands beside the rows when it is opened, not in their place."""

SIDES = {"set_up": "Set-up", "findings": "Findings", "lengths": "Lengths"}

REMEMBERED = 100
"""Changes that can be taken back."""


class DataPane(Choosing):
    """The rows and how they are trained on."""

    BINDINGS = bindings_for("data")
    HELP = (
        "The data as it will be trained on. The lines at the top say how it is read; below are its rows, and the row "
        "that is lit in three views. e opens the set-up, d what may be wrong with the rows, l their lengths and the "
        "longest row; Escape leads back."
    )
    DEFAULT_CSS = f"""
    DataPane #seen {{ width: 1fr; height: 1fr; }}
    DataPane #summary {{ margin-bottom: 1; }}
    DataPane #row-header {{ height: 1; }}
    DataPane #trail {{ height: 1; }}
    DataPane RowList {{ height: 2fr; }}
    DataPane #views {{ height: 2fr; }}
    DataPane ViewNames {{ display: none; }}
    DataPane.-one #seen > ViewNames {{ display: block; }}
    DataPane.-one RowView {{ display: none; border: none; border-top: $edge $edge-blurred; padding: 0; }}
    DataPane.-one RowView.-shown {{ display: block; }}
    DataPane.-one RowView:focus {{ border: none; border-top: $edge $border; }}
    DataPane.-one.-low RowView, DataPane.-one.-low RowView:focus {{ border: none; }}
    DataPane.-one.-low RowView:focus {{ background: $boost; }}
    DataPane #side {{ display: none; width: {SIDE}; height: 1fr; padding-right: 2; }}
    DataPane #side > ViewNames {{ display: block; margin-bottom: 1; }}
    DataPane.-low #side > ViewNames {{ margin-bottom: 0; }}
    DataPane.-side #side {{ display: block; }}
    DataPane.-instead.-side #seen {{ display: none; }}
    DataPane.-instead #side {{ width: 1fr; padding-right: 0; }}
    DataPane.-low #summary {{ margin-bottom: 0; }}
    DataPane.-none #row-header, DataPane.-none #views, DataPane.-none #trail,
    DataPane.-none #seen > ViewNames, DataPane.-none.-one #seen > ViewNames {{ display: none; }}
    """

    skeleton: reactive[Skeleton | None] = reactive(None, init=False, repaint=False)
    device: reactive[Device | None] = reactive(None, init=False, repaint=False)
    shown_side: reactive[str] = reactive("set_up", init=False, repaint=False)
    """What stands beside the rows, or stood there last."""

    def __init__(self) -> None:
        super().__init__()
        self._opened: bool | None = None
        """Whether the person opened or closed the side; None where the width decides."""
        self.sides: dict[str, Widget] = {}
        """The set-up, the findings and the lengths, as far as they have been shown."""
        self.side_names = ViewNames(SIDES)
        self.side = Vertical(id="side")
        self._past: list[DataSection] = []
        """The data of the recipe before each change, for undoing them."""
        self._undoing = False

    def compose(self) -> ComposeResult:
        with self.side:
            yield self.side_names
        yield from super().compose()

    def on_mount(self) -> None:
        self.watch_chosen_view()
        self.fetch_first()
        self.show_data(DataState(), self.data_state)

    @property
    def set_up(self) -> SetUp | None:
        """The form, once it has been shown."""
        found = self.sides.get("set_up")
        return found if isinstance(found, SetUp) else None

    @property
    def findings(self) -> Findings | None:
        """The findings, once they have been shown."""
        found = self.sides.get("findings")
        return found if isinstance(found, Findings) else None

    @property
    def _in_side(self) -> bool:
        """Whether the focus is in what stands beside the rows."""
        focused = self.app.focused
        return focused is not None and self.side in focused.ancestors

    def focus_first(self) -> None:
        if self.has_class("-side", "-instead"):
            self._focus_side()
        else:
            self.rows.focus()

    @property
    def summary_lines(self) -> int:
        """Fewer where the findings stand beside the rows."""
        shown = self.findings is not None and self.findings.display and self.has_class("-side")
        return 3 if shown else super().summary_lines

    # what comes down

    def watch_recipe(self, before: Recipe, now: Recipe) -> None:
        if before.data != now.data:
            if _is_other(before, now):
                self._past = []
            else:
                self._remember(before.data, now.data)
        if data_key(before) != data_key(now):
            self.read_anew(before, now)
        self._show_sides()

    def watch_data_state(self, before: DataState, now: DataState) -> None:
        self.show_data(before, now)
        self._show_sides()

    def watch_skeleton(self) -> None:
        self._show_sides()

    def watch_device(self) -> None:
        self._show_sides()

    def _show_sides(self) -> None:
        """Bring what stands beside the rows up to date; what is hidden is brought up to date when it is shown."""
        panel = self.sides.get(self.shown_side)
        if panel is None or not self.has_class("-side"):
            return
        if isinstance(panel, SetUp):
            panel.show(self.recipe)
            panel.show_report(self.own_state.report)
        elif isinstance(panel, Findings):
            panel.show(self.own_state, self.recipe.data, bool(self._past), self.known)
        elif isinstance(panel, Lengths):
            panel.show(self.recipe, self.data_state, self.skeleton, self.device)

    async def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.height < 24, "-low")
        await self._arrange()
        self._show_all()

    async def _arrange(self) -> None:
        """What is shown side by side at this width."""
        width = self.size.width
        opened = width >= SIDE_SHOWN if self._opened is None else self._opened
        beside = width >= SIDE_BESIDE
        if opened and self.shown_side not in self.sides:
            await self._build(self.shown_side)
        self.set_class(opened, "-side")
        self.set_class(not beside, "-instead")
        one = width - (SIDE if opened and beside else 0) < THREE
        self.set_class(one, "-one")
        for view, title in zip(self.views, VIEWS.values(), strict=True):
            view.border_title = "" if one else title
        for name, panel in self.sides.items():
            panel.display = opened and name == self.shown_side
        self.side_names.active = self.shown_side
        self._show_sides()
        self._show_summary()

    async def _build(self, name: str) -> None:
        panel: Widget = {"set_up": lambda: SetUp(self.recipe), "findings": Findings}.get(
            name, lambda: Lengths(self.recipe)
        )()
        self.sides[name] = panel
        await self.side.mount(panel)

    # the side

    async def action_side(self, name: str) -> None:
        """Go into the set-up, the findings or the lengths, opened where they are not; from inside, back to the rows."""
        if self._in_side and self.shown_side == name:
            await self._close_side()
            return
        self.shown_side = name
        if not self.has_class("-side"):
            self._opened = True
        await self._arrange()
        self._focus_side()

    def _focus_side(self) -> None:
        panel = self.sides.get(self.shown_side)
        if isinstance(panel, (SetUp, Findings, Lengths)):
            panel.focus_first()

    async def _close_side(self) -> None:
        self._opened = None
        await self._arrange()
        self.rows.focus()

    async def on_view_names_chosen(self, event: ViewNames.Chosen) -> None:
        event.stop()
        if event.name in SIDES:
            self.shown_side = event.name
            await self._arrange()
            self._focus_side()
        else:
            self.chosen_view = event.name

    async def key_escape(self, event: events.Key) -> None:
        """Escape stops what goes on, leads out of the side, and ends a walk; elsewhere it goes on to the app."""
        if self.stop_asking():
            event.stop()
        elif self.data_state.busy and self.data_state.share is not None:  # a long read, whose line says that Esc stops
            event.stop()
            self.desk.stop_reading()
        elif self._in_side:
            event.stop()
            await self._close_side()
        elif self.trail is not None:
            event.stop()
            self.end_trail()
        elif self.only:
            event.stop()
            self.show_only("")
        elif self.data_state.busy:
            event.stop()
            self.desk.stop_reading()

    # findings and what is done about them

    async def on_findings_rows_wanted(self, event: Findings.RowsWanted) -> None:
        """Show the first of an entry's rows, then the next one each time."""
        event.stop()
        if self.has_class("-instead"):
            await self._close_side()
        if self.trail is not None and self.trail.name == event.trail.name and self.trail.words == event.trail.words:
            self.trail = event.trail
            self.action_next_on_trail(1)
        else:
            self.follow(event.trail, 0)

    def on_findings_remedy_wanted(self, event: Findings.RemedyWanted) -> None:
        event.stop()
        self._change(event.entry.settings, event.entry.label)

    def on_findings_undo_wanted(self, event: Findings.UndoWanted) -> None:
        event.stop()
        self.action_undo()

    async def action_fix(self) -> None:
        """Do what the lit finding proposes; where the findings are not shown, show them first."""
        findings = self.findings
        if findings is None or not findings.display or not self.has_class("-side"):
            await self.action_side("findings")
        elif findings.lit is not None and findings.lit.label:
            self._change(findings.lit.settings, findings.lit.label)
        else:
            self.post_message(Told("This finding has no remedy in the recipe." if findings.lit else "No finding."))

    def action_leave_out(self) -> None:
        """Leave the lit row out, or take it again where its number is left out."""
        if not self.rows.total:
            return
        if self.rows.of != "source":
            self.post_message(Told("This row stands in the held-out file, which is taken whole; x leaves out others."))
            return
        number = self.rows.lit + 1
        out = list(self.recipe.data.leave_out)
        if number in out:
            out.remove(number)
            self._change({"data.leave_out": out}, f"Row {count_text(number)} is taken again")
        else:
            self._change({"data.leave_out": [*out, number]}, f"Row {count_text(number)} is left out")

    def on_set_up_templates_wanted(self, event: SetUp.TemplatesWanted) -> None:
        event.stop()
        self.action_templates()

    # undoing

    def _remember(self, before: DataSection, now: DataSection) -> None:
        """Keep the data as it was; a slider's way from one place to another is one change."""
        if self._undoing:
            self._undoing = False
            return
        changed = _differences(before, now)
        if self._past and changed.keys() == {"max_length"} == _differences(self._past[-1], before).keys():
            return
        self._past = [*self._past[1 - REMEMBERED :], before]

    def action_undo(self) -> None:
        if not self._past:
            self.post_message(Told("There is no change to the data to take back."))
            return
        before = self._past.pop()
        settings = {f"data.{name}": value for name, value in _differences(self.recipe.data, before).items()}
        if settings:
            self._undoing = True
            self.post_message(RecipeEdited(settings))
            names = ", ".join(name.partition(".")[2].replace("_", " ") for name in settings)
            self.post_message(Told(f"Taken back: {names}."))

    def action_reload(self) -> None:
        self.fetch_first()
        self.desk.read_again()


def _is_other(before: Recipe, now: Recipe) -> bool:
    """Whether another recipe was opened, whose data no undoing should mix with the old: more than the data changed."""
    longest_alone = _differences(before.data, now.data).keys() == {"max_length"}  # as the memory's advice changes it
    return replace(before, data=now.data) != now and not longest_alone


def _differences(before: DataSection, now: DataSection) -> dict[str, Any]:
    """The values of `now` that are others than those of `before`."""
    old, new = asdict(before), asdict(now)
    return {name: new[name] for name in new if new[name] != old[name]}
