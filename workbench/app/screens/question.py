"""A question before something that cannot be taken back, or that will probably fail."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from workbench.app.screens.dialog import DIALOG_CSS
from workbench.app.words import visible


class Question(ModalScreen[bool]):
    """Gives True for yes. Escape is no; the focus starts on no. Details, if any, open with d."""

    DEFAULT_CSS = f"""
    Question {{ {DIALOG_CSS} }}
    Question #details {{ display: none; height: auto; max-height: 12; margin-top: 1; color: $quiet; }}
    Question #details.-open {{ display: block; }}
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n", "answer(False)", "No", key_display="Esc"),
        Binding("y", "answer(True)", "Yes"),
        Binding("d", "details", "Details", show=False),
        Binding("left,up", "app.focus_previous", "Previous", show=False),
        Binding("right,down", "app.focus_next", "Next", show=False),
    ]

    def __init__(self, title: str, sentence: str, yes: str, no: str = "No", details: str = "") -> None:
        super().__init__()
        self.question_title = title
        self.sentence = sentence
        self.yes = yes
        self.no = no
        self.details = details

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog", can_focus=False) as dialog:
            dialog.border_title = self.question_title
            yield Static(visible(self.sentence, lines=True), markup=False)
            if self.details:
                yield Static(visible(self.details, lines=True), markup=False, id="details")
            with Horizontal(classes="dialog-buttons"):
                yield Button(self.no, id="no", compact=True)
                yield Button(self.yes, id="yes", compact=True)
                if self.details:
                    yield Button("Details (d)", id="more", compact=True)

    def on_mount(self) -> None:
        self.query_one("#no").focus()

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)

    def action_details(self) -> None:
        if self.details:
            self.query_one("#details").toggle_class("-open")

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "more":
            self.action_details()
        else:
            self.dismiss(event.button.id == "yes")
