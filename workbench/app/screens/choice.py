"""A list of choices that opens at its field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Region
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from workbench.app.glyphs import glyphs


class ChoiceScreen(ModalScreen[int | None]):
    """Gives the index of the chosen label, or None. Letters lead to labels."""

    DEFAULT_CSS = """
    ChoiceScreen { background: transparent; }
    ChoiceScreen OptionList {
        position: absolute; height: auto;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Back", key_display="Esc")]

    def __init__(self, labels: Sequence[str], at: int, field: Region) -> None:
        super().__init__()
        self.labels = labels
        self.at = at
        self.field = field

    def compose(self) -> ComposeResult:
        marks = glyphs()
        options = OptionList(
            *(
                Option(Content(f"{marks.chosen if place == self.at else ' '} {label}"))
                for place, label in enumerate(self.labels)
            )
        )
        yield options

    def on_mount(self) -> None:
        options = self.query_one(OptionList)
        options.highlighted = self.at
        self._place()

    def on_resize(self) -> None:
        self._place()

    def _place(self) -> None:
        """Below the field, or above where there is no room below."""
        options = self.query_one(OptionList)
        width = min(max(self.field.width, max(cell_len(label) for label in self.labels) + 7), self.size.width)
        height = min(len(self.labels) + 2, max(4, self.size.height - 2))
        below = self.field.bottom + height <= self.size.height
        y = self.field.bottom if below else max(0, self.field.y - height)
        options.styles.width = width
        options.styles.max_height = height
        options.styles.offset = (max(0, min(self.field.x - 1, self.size.width - width)), y)

    def on_key(self, event: events.Key) -> None:
        """A letter leads to the next label that begins with it."""
        letter = (event.character or "").casefold()
        if not event.is_printable or not letter.strip():
            return
        options = self.query_one(OptionList)
        begun = [place for place, label in enumerate(self.labels) if label.casefold().startswith(letter)]
        if begun:
            event.stop()
            at = -1 if options.highlighted is None else options.highlighted
            options.highlighted = next((place for place in begun if place > at), begun[0])

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(event.option_index)

    def on_click(self, event: events.Click) -> None:
        if event.widget is self:
            self.dismiss(None)
