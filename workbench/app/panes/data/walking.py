"""Going through the rows: by findings, by length, by a text, by chance or by number; some of them alone; copied."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any

from textual.content import Content

from workbench.app.deferred import deferred
from workbench.app.glyphs import glyphs
from workbench.app.messages import Told
from workbench.app.panes.data.ask_line import AskLine
from workbench.app.panes.data.browsing import Browsing
from workbench.app.panes.data.known import SHOWN
from workbench.app.panes.data.rows import Row
from workbench.app.panes.data.trail import Trail, plain_sentence
from workbench.app.reading import data_key, sentence_of
from workbench.app.words import clipped, visible
from workbench.core.recipe import recipe_to_mapping
from workbench.core.words import count_text

UNREAD = "The data has not been read yet."


class Walking(Browsing):
    """The rows, and ways through them."""

    def __init__(self) -> None:
        super().__init__()
        self.trail: Trail | None = None
        """The rows that n and N walk; None walks those with findings."""
        self._note = ""
        """What is going on in the line below the rows."""
        self._of_listed = (self.known, self.rows.order, Trail("findings", (), 0))
        """What is known, the rows that are listed, and those of them that a finding is about."""

    def forget(self) -> None:
        super().forget()
        self.trail = None

    # the line below the rows

    def note(self, words: str) -> None:
        """Say what is going on below the rows; nothing takes it back."""
        self._note = words
        self.show_line()

    def show_line(self) -> None:
        self.trail_line.show(self._line)

    def _line(self, width: int) -> Content:
        if self._note:
            return Content.styled(clipped(visible(self._note), width), "$accent")
        row, trail, rows = self.rows.lit, self.trail, self.rows
        dot = f" {glyphs().dot} "
        if trail is not None:
            end = f"{_some(trail)}{dot}n next{dot}N before{dot}Esc ends"
            of = _place(trail, row if trail.of == rows.of else -1)
            words = clipped(visible(trail.words), max(8, width - len(of) - len(end) - 2))
            return Content.assemble((words, "$accent"), f"  {of}", (end, "$quiet"))
        lit = rows.row_at(rows.cursor)
        problem = str(lit["problem"]) if lit is not None and lit["problem"] else ""
        said = [plain_sentence(finding) for finding in self.known.said_of(row, rows.of)]
        use = self.known.use_of(row, rows.of)
        first = f"left out: {problem}" if problem else "" if use == "train" else use
        end = f"{dot}{_place(self._found(), row)} with a finding" if said else ""
        words = clipped(visible(dot.join((*([first] if first else ()), *said))), max(8, width - len(end)))
        style = "$text-error" if problem else "$text-warning" if said else "$quiet"
        return Content.assemble((words or " ", style), (end, "$quiet"))

    # some of the rows

    def action_only(self) -> None:
        """Choose which rows are listed."""
        if self.data_state.report is None:
            self.post_message(Told(UNREAD))
            return
        from workbench.app.screens.choice import ChoiceScreen

        names = ["", *(name for name in SHOWN if self.known[name].rows)]
        names += [finding["kind"] for finding in self.known.findings]
        counts = [int(self.data_state.report["rows"]), *(len(self.known[name].rows) for name in names[1:])]
        room = max(len(count_text(count)) for count in counts)
        labels = [
            f"{count_text(count):>{room}}  {clipped(visible(self.words_of(name)), self.app.size.width - room - 10)}"
            for name, count in zip(names, counts, strict=True)
        ]

        def chosen(index: int | None) -> None:
            if index is not None:
                self.trail = None
                self.show_only(names[index])
                self.rows.focus()

        at = names.index(self.only) if self.only in names else 0
        self.app.push_screen(ChoiceScreen(labels, at, self.row_header.region), chosen)

    # going to a row

    def go(self, row: int, of: str = "source", name: str = "") -> None:
        """Put the cursor on a row; where it is not listed, list all rows, or those of a set that has it."""
        place = self.rows.place_of(row) if of == self.rows.of else None
        if place is None:
            self.show_only(name if of != "source" else "")
            place = self.rows.place_of(row)
        if place is not None:
            self.rows.cursor = place

    def follow(self, trail: Trail, from_row: int | None = None) -> None:
        """Walk these rows from now on, beginning with the first at or behind the cursor."""
        self.trail = trail
        at = self.rows.lit if from_row is None else from_row
        row = trail.neighbour(at - 1, 1)
        if row is not None:
            self.go(row, trail.of, trail.name)
        self.show_line()

    def end_trail(self) -> bool:
        """Walk those rows no more; whether there were any."""
        had, self.trail = self.trail is not None, None
        self.show_line()
        return had

    def _found(self) -> Trail:
        """The listed rows that a finding is about."""
        order = self.rows.order
        if self._of_listed[0] is not self.known or self._of_listed[1] is not order:
            trail = self.known.trail_of_all(self.rows.of)
            if order is not None:
                rows = [row for row in trail.rows if self.rows.place_of(row) is not None]
                trail = Trail(trail.words, rows, len(rows), trail.of)
            self._of_listed = self.known, order, trail
        return self._of_listed[2]

    def action_next_on_trail(self, step: int) -> None:
        trail = self.trail or self._found()
        row = trail.neighbour(self.rows.lit, step)
        if row is None:
            known = self.data_state.report is not None
            self.post_message(Told("No finding is about a single row of these." if known else UNREAD))
        else:
            self.go(row, trail.of, trail.name)
            self.show_line()

    def action_next_long(self) -> None:
        report = self.data_state.report
        if report is None:
            self.post_message(Told(UNREAD))
            return
        words = f"longer than {count_text(report['max_length'])} tokens"
        trail = self.known.trail("cut", words)
        row = trail.neighbour(self.rows.lit, 1)
        if row is None:
            self.post_message(Told(f"No row is {words}."))
        else:
            self.trail = trail
            self.go(row)
            self.show_line()

    def action_any_row(self) -> None:
        if self.rows.total:
            self.rows.cursor = random.randrange(self.rows.total)

    def action_go_to(self) -> None:
        if self.rows.total:
            self.ask_line.ask("row", f"Go to row, 1 to {count_text(self._last)}:")

    @property
    def _last(self) -> int:
        """The greatest number of a row, from 1."""
        report = self.data_state.report
        all_listed = self.rows.order is None or self.rows.of != "source" or report is None
        return self.rows.highest if all_listed else int(report["rows"])  # type: ignore[index]

    def action_search(self) -> None:
        if self.rows.total:
            self.ask_line.ask("text", "Search for:")

    def on_ask_line_left(self, event: AskLine.Left) -> None:
        event.stop()
        self.rows.focus()

    def on_ask_line_answered(self, event: AskLine.Answered) -> None:
        event.stop()
        self.rows.focus()
        self.take_answer(event.about, event.text)

    def take_answer(self, about: str, text: str) -> None:
        """Do what was asked for in the line below the rows."""
        if about == "row":
            digits = text.replace(",", "").replace(" ", "").replace("_", "")
            number = int(digits) if digits.isdecimal() and len(digits) < 12 else 0
            if 1 <= number <= self._last:
                self.go(number - 1, self.rows.of, self.only)
            else:
                last = count_text(self._last)
                self.post_message(Told(f"There is no row {text[:20]}; rows go from 1 to {last}.", "warning"))
        elif about == "text":
            self.run_worker(deferred(self._search, text), group="asking", exclusive=True)

    async def _search(self, text: str) -> None:
        recipe = self.recipe

        def tell(event: Mapping[str, Any]) -> None:
            self.note(f"Searching {event.get('text') or ''} {glyphs().dot} Esc stops")

        self.note(f"Searching {glyphs().dot} Esc stops")
        try:
            found, wrong = await sentence_of(
                lambda: self.desk.helper.request("search", tell, recipe=recipe_to_mapping(recipe), text=text)
            )
        finally:
            self.note("")
        if wrong or data_key(recipe) != data_key(self.recipe):
            self.post_message(Told(wrong or "The data has changed; search again.", "warning"))
        elif not found["rows"]:
            self.post_message(Told(f"No row holds {text[:40]!r}."))
        else:
            self.follow(Trail(f"holds {text[:40]!r}", tuple(found["rows"]), int(found["total"])))

    # copying

    def action_copy_row(self) -> None:
        row = self.rows.row_at(self.rows.cursor)
        if row is None:
            self.post_message(Told("There is no row to copy yet."))
            return
        if self.conversation.has_focus:
            what, text = "as rendered", str(row["rendered"])
        elif self.tokens.has_focus:
            what, text = "as token ids", json.dumps(row["ids"])
        else:
            what, text = "as JSON", json_of(row)
        self.app.copy_to_clipboard(text)
        size = count_text(len(text))
        self.post_message(Told(f"Row {count_text(row['row'] + 1)} {what} is on the clipboard, {size} characters."))

    def stop_asking(self) -> bool:
        """Stop a search or a save that goes on; whether one did."""
        going = any(worker.group == "asking" and worker.is_running for worker in self.workers)
        self.workers.cancel_group(self, "asking")
        return going


def _place(trail: Trail, row: int) -> str:
    """Which of its rows this is: 3 of 52; 52 where it is none of them."""
    at = trail.place_of(row)
    return f"{count_text(at)} of {count_text(trail.total)}" if at else count_text(trail.total)


def _some(trail: Trail) -> str:
    return f", the first {count_text(len(trail.rows))} listed" if trail.total > len(trail.rows) else ""


def json_of(row: Row) -> str:
    """The row as one line of JSON, as it stands in its source."""
    return json.dumps({name: _value(row, name) for name in row["raw"]}, ensure_ascii=False)


def _value(row: Row, name: str) -> Any:
    text = row["raw"][name]
    try:
        return json.loads(text) if name in row["json"] else text
    except ValueError:  # a value too long to be shown whole
        return text
