"""The doctor's findings: what may be wrong, with examples one key away, a remedy, and what is left out already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Button, OptionList
from textual.widgets.option_list import Option

from workbench.app.glyphs import glyphs
from workbench.app.panes.data.known import KnownRows
from workbench.app.panes.data.trail import SEVERITIES, Trail, plain_sentence
from workbench.app.reading import DataState
from workbench.app.widgets.drawn import Drawn
from workbench.app.words import visible
from workbench.core.recipe import DataSection
from workbench.core.words import count_text

NAMED = 5
"""Rows that a line names."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the list: a finding, or what the recipe leaves out already."""

    severity: str
    """error, warning, info, or out."""
    count: int | None
    words: str
    trail: Trail | None
    """The rows it is about, where it is about single rows."""
    label: str
    """What its remedy does; empty where there is none."""
    settings: Mapping[str, Any]
    """The remedy as settings of the recipe."""


def entries_of(report: Mapping[str, Any], section: DataSection, known: KnownRows) -> list[Entry]:
    """Findings, gravest first, and behind them what the recipe leaves out, each with the way back."""
    found = []
    for severity in SEVERITIES:
        for item in report["findings"]:
            if item["severity"] == severity:
                fix = item["fix"] or {"label": "", "settings": {}}
                trail = None if item["about_all"] else known.trail_of(item)
                count = item["count"] if trail is not None else None
                found.append(Entry(severity, count, plain_sentence(item), trail, fix["label"], fix["settings"]))
    return found + _left_out(report, section)


def _left_out(report: Mapping[str, Any], section: DataSection) -> list[Entry]:
    from workbench.core.data.checks.findings import NOTED

    counts = report.get("left_out", {})
    found = []
    kinds = [item for item in section.leave_out if isinstance(item, str)]
    numbers = [item for item in section.leave_out if not isinstance(item, str)]
    for kind in kinds:
        words = NOTED.get(kind, ("", kind.replace("_", " ")))[1]
        rest = [item for item in section.leave_out if item != kind]
        found.append(Entry("out", counts.get(kind, 0), words, None, "Take them again", {"data.leave_out": rest}))
    if section.duplicates == "first":
        settings = {"data.duplicates": "keep"}
        words = NOTED["duplicate"][1]
        found.append(Entry("out", counts.get("duplicate", 0), words, None, "Take them again", settings))
    if numbers:
        rows = tuple(sorted(number - 1 for number in numbers))
        trail = Trail("left out by its number", rows, len(rows), name="numbers")
        words = "Rows left out by their numbers"
        found.append(Entry("out", len(rows), words, trail, "Take them again", {"data.leave_out": kinds}))
    return found


def entry_line(entry: Entry, width: int) -> Content:
    """An entry in two lines or more: its count and words, then its first rows and its remedy."""
    marks = glyphs()
    mark, style = {
        "error": (marks.cross, "bold $text-error"),
        "warning": (marks.warning, "bold $text-warning"),
        "info": (marks.dot, "bold $accent"),
    }.get(entry.severity, (marks.tick, "bold $text-success"))
    count = "" if entry.count is None else count_text(entry.count)
    indent = " " * 10
    room = max(16, width - len(indent))
    words = [line.plain.rstrip() for line in Content(visible(entry.words)).wrap(room)] or [""]
    lines = [Content.assemble((f"{mark} ", style), (f"{count:>6}  ", "bold"), words[0])]
    lines += [Content(indent + line) for line in words[1:]]
    said = _rows_named(entry)
    if said:
        lines += [Content.styled(indent + line.plain.rstrip(), "$quiet") for line in Content(said).wrap(room)]
    for place, line in enumerate(Content(visible(entry.label)).wrap(room - 2) if entry.label else ()):
        key = ("f ", "bold $accent") if place == 0 else "  "
        lines.append(Content.assemble(indent, key, (line.plain.rstrip(), "$quiet")))
    return Content("\n").join(lines)


def _rows_named(entry: Entry) -> str:
    if entry.trail is None or not entry.trail.rows:
        return ""
    named = ", ".join(count_text(row + 1) for row in entry.trail.rows[:NAMED])
    more = entry.trail.total - min(NAMED, len(entry.trail.rows))
    return f"row{'s' if entry.trail.total > 1 else ''} {named}" + (f" and {count_text(more)} more" if more else "")


class FindingList(OptionList):
    """Findings; Enter shows the next of the lit one's rows."""

    HELP = (
        "Each entry is something the doctor found in the rows that are taken, the gravest first, or something that the "
        "recipe leaves out already. Enter shows its next row, f does what it proposes, u takes that back. The source "
        "file is never changed."
    )
    DEFAULT_CSS = """
    FindingList { height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,space", "select", "Show row", key_display="Enter")]


class Findings(Vertical):
    """The list, with a heading above it and its remedies as buttons below."""

    DEFAULT_CSS = """
    Findings { height: 1fr; }
    Findings #findings-heading { margin-bottom: 1; }
    Findings Horizontal { height: 1; margin-top: 1; }
    Findings Button { width: auto; min-width: 6; margin-right: 2; }
    """

    class RowsWanted(Message):
        """The person wants to see the rows of an entry."""

        def __init__(self, trail: Trail) -> None:
            super().__init__()
            self.trail = trail

    class RemedyWanted(Message):
        """The person wants what an entry proposes."""

        def __init__(self, entry: Entry) -> None:
            super().__init__()
            self.entry = entry

    class UndoWanted(Message):
        """The person wants the last change taken back."""

    def __init__(self) -> None:
        super().__init__(id="findings")
        self.entries: list[Entry] = []
        self.heading = Drawn(id="findings-heading")
        self.list = FindingList()
        self.fix_button = Button("Fix (f)", id="fix", compact=True)
        self.undo_button = Button("Undo (u)", id="undo", compact=True)
        self._state: tuple[DataState, DataSection] | None = None

    def compose(self) -> ComposeResult:
        yield self.heading
        yield self.list
        with Horizontal():
            yield self.fix_button
            yield self.undo_button

    def focus_first(self) -> None:
        self.list.focus()

    def show(self, state: DataState, section: DataSection, can_undo: bool, known: KnownRows) -> None:
        """Show what was found."""
        self._state = (state, section)
        self.undo_button.disabled = not can_undo
        self.heading.show(self._heading)
        before = self.lit
        self.entries = entries_of(state.report, section, known) if state.report is not None else []
        self._draw(before)

    def _heading(self, width: int) -> Content:  # noqa: ARG002
        if self._state is None or self._state[0].report is None:
            state = self._state[0] if self._state else DataState()
            return Content.styled(
                visible(state.problem or state.busy) or "The data has not been read yet. r reads it.", "$quiet"
            )
        counts = {name: sum(entry.severity == name for entry in self.entries) for name in (*SEVERITIES, "out")}
        words = {"error": "errors", "warning": "warnings", "info": "notes", "out": "left out"}
        said = [f"{counts[name]} {words[name].removesuffix('s') if counts[name] == 1 else words[name]}"
                for name in words if counts[name]]  # fmt: skip
        if said:
            return Content.assemble((f" {glyphs().dot} ".join(said), "bold"), ("  Enter shows the rows", "$quiet"))
        looked = (
            "No finding. The rows were looked through for duplicates, rows on both sides of the held-out share, empty "
            "and one-word answers, answers that repeat the prompt, wrong encodings, other scripts, outlying lengths, "
            "secrets and personal data, and tokens that are missing or twice."
        )
        return Content.assemble((f"{glyphs().tick} ", "$text-success"), looked)

    def on_resize(self) -> None:
        self._draw()

    def _draw(self, before: Entry | None = None) -> None:
        """Draw the entries; the cursor stays on what it was on."""
        options = self.list
        width = max(24, options.scrollable_content_region.width or self.size.width)
        lines = [entry_line(entry, width) for entry in self.entries]
        if lines != [option.prompt for option in options.options]:
            at = options.highlighted
            if before is not None:
                words = [entry.words for entry in self.entries]
                at = words.index(before.words) if before.words in words else at
            options.set_options(Option(line) for line in lines)
            options.highlighted = min(at or 0, len(lines) - 1) if lines else None
        self._show_fix()

    @property
    def lit(self) -> Entry | None:
        """The entry under the cursor."""
        at = self.list.highlighted
        return self.entries[at] if at is not None and at < len(self.entries) else None

    def _show_fix(self) -> None:
        entry = self.lit
        self.fix_button.display = entry is not None and bool(entry.label)

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        self._show_fix()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        entry = self.entries[event.option_index]
        if entry.trail is not None and entry.trail.rows:
            self.post_message(self.RowsWanted(entry.trail))

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "undo":
            self.post_message(self.UndoWanted())
        elif self.lit is not None:
            self.post_message(self.RemedyWanted(self.lit))
