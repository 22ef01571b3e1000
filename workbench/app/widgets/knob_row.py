"""One knob of a form: its name, its field, what it means, and what is wrong with what was typed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual import events
from textual.app import ComposeResult
from textual.content import Content
from textual.geometry import Size
from textual.reactive import reactive
from textual.widget import Widget

from workbench.app.glyphs import glyphs
from workbench.app.widgets.fields import ChoiceField, Field, NumberField, SwitchField, TextField
from workbench.app.widgets.stepping import is_number
from workbench.app.widgets.values import choices_of, value_text
from workbench.app.words import visible, written
from workbench.core.knobs import Knob

NAME = 24
"""Cells for the name."""

FIELD = 18
"""Cells for the field."""

MARKS = 7
"""Cells for the - and + beside a number."""

HELP = 34
"""Cells from which the meaning stands beside the field; else the pane shows that of the one that has the focus."""


TITLES = {"model.path": "base model", "model.revision": "revision"}
"""Names in words, where the key alone would say too little."""


def build_field(key: str, knob: Knob, suggestions: Sequence[str] = ()) -> Field:
    """The field that suits a knob's type."""
    if choices_of(knob):
        return ChoiceField(key, knob)
    if bool in knob.kinds:
        return SwitchField(key, knob)
    if is_number(knob):
        return NumberField(key, knob)
    return TextField(key, knob, suggestions)


def room_for_help(width: int, field: int = FIELD) -> int:
    """Cells that a row of this width leaves for the meaning."""
    return width - NAME - field - MARKS


class KnobRow(Widget):
    """A knob in a form: it draws all but the field itself."""

    DEFAULT_CSS = f"""
    KnobRow {{ height: auto; width: 1fr; }}
    KnobRow > Input, KnobRow > ChoiceField {{ position: absolute; offset: {NAME} 0; width: {FIELD}; }}
    KnobRow > Input.-textual-compact {{ padding: 0 1; background: $panel; }}
    KnobRow > Input.-textual-compact:focus {{ background: $primary 30%; }}
    """

    wrong: reactive[str] = reactive("")
    """What is wrong with what was typed."""
    room: reactive[int] = reactive(FIELD, layout=True)
    """Cells for the field."""
    lit: reactive[bool] = reactive(False)
    """Whether its field has the focus."""

    def __init__(self, key: str, knob: Knob, suggestions: Sequence[str] = ()) -> None:
        super().__init__()
        self.key = key
        self.knob = knob
        self.field = build_field(key, knob, suggestions)

    @property
    def title(self) -> str:
        """The knob's name in words."""
        return TITLES.get(self.key) or self.knob.name.replace("_", " ")

    def compose(self) -> ComposeResult:
        yield self.field

    def explain(self) -> str:
        """The knob in words, for F1."""
        default = value_text(self.knob.default) or "empty"
        return f"{self.key}\n{self.knob.help}\nIt takes {self.knob.accepted}. The default is {default}."

    def show(self, value: Any, empty: str = "", start: float | None = None) -> None:
        """Show the recipe's value; `empty` says what an empty field stands for, `start` is that as a number."""
        if isinstance(self.field, NumberField) and type(None) not in self.knob.kinds:
            empty = ""  # it cannot be empty, so that stands for nothing
        if isinstance(self.field, TextField) and self.field.placeholder != empty:
            self.field.placeholder = empty
        if isinstance(self.field, NumberField):
            self.field.start = start
        self.field.show(value)

    def watch_room(self) -> None:
        self.field.styles.width = self.room

    def watch_wrong(self) -> None:
        self._fit()

    def _fit(self) -> None:
        """Make room for what is said; a new layout sends the whole screen again, so only where it is needed."""
        if self.content_size.width and len(self._lines(self.content_size.width)) != self.content_size.height:
            self.refresh(layout=True)

    # drawing

    def _lines(self, width: int) -> list[Content]:
        name = Content.styled(self.title.ljust(NAME), "bold $primary" if self.lit else "$foreground")
        marks = " " * MARKS
        if isinstance(self.field, NumberField):
            marks = "  - +  "
        elif isinstance(self.field, TextField) and self.field.suggestions:
            marks = f" {glyphs().down}".ljust(MARKS)
        first = Content.assemble(name, " " * self.room, (marks, "$accent"))
        room = room_for_help(width, self.room)
        lines = [first]
        if room >= HELP:
            meaning = [line.rstrip() for line in Content(self.knob.help).wrap(room)]
            indent = " " * (width - room)
            lines = [Content.assemble(first, (meaning[0].plain, "$quiet"))]
            lines += [Content.styled(indent + line.plain, "$quiet") for line in meaning[1:]]
        if self.wrong:
            lines += _indented(written(visible(self.wrong)), width, "$text-error")
        return lines

    def render(self) -> Content:
        return Content("\n").join(self._lines(max(20, self.content_size.width)))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        return len(self._lines(max(20, width)))

    # what the person does

    def on_descendant_focus(self) -> None:
        self.lit = True

    def on_descendant_blur(self) -> None:
        self.lit = False

    def on_click(self, event: events.Click) -> None:
        """The name and the meaning lead to the field; the - and + change a number."""
        if event.widget is not self:
            return
        self.field.focus()
        place = event.x - NAME - self.room
        if isinstance(self.field, NumberField) and event.y == 0 and 1 <= place < MARKS - 1:
            self.field.call_later(self.field.step, place >= 3)  # a message whose sender is its parent goes no further
        elif isinstance(self.field, TextField) and self.field.suggestions and event.y == 0 and 0 <= place < MARKS:
            self.field.open_list()


def _indented(text: str, width: int, style: str) -> list[Content]:
    return [Content.styled(f"  {line.plain.rstrip()}", style) for line in Content(text).wrap(max(10, width - 2))]
