"""One line in which the pane asks for a word: a row's number, a text to search for, a file's name."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Input

from workbench.app.widgets.drawn import Drawn


class AskLine(Horizontal):
    """Shown while it asks; Enter answers, Escape leaves."""

    HELP = "Type what is asked for. Enter takes it, Escape leaves it."
    DEFAULT_CSS = """
    AskLine { height: 1; display: none; background: $panel; }
    AskLine.-asking { display: block; }
    AskLine Drawn { width: auto; height: 1; color: $primary; text-style: bold; }
    AskLine Input.-textual-compact { width: 1fr; background: $panel; padding: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Back", key_display="Esc")]

    class Answered(Message):
        """The person gave an answer."""

        def __init__(self, about: str, text: str) -> None:
            super().__init__()
            self.about = about
            self.text = text

    class Left(Message):
        """The person gave none."""

    def __init__(self) -> None:
        super().__init__(id="ask-line")
        self.about = ""
        """What is asked for."""
        self._given: dict[str, str] = {}
        self.question = Drawn()
        self.input = Input(compact=True)
        self.input.cursor_blink = False

    def compose(self) -> ComposeResult:
        yield self.question
        yield self.input

    def ask(self, about: str, question: str, proposal: str = "") -> None:
        """Ask for `about`; the last answer to the same question is offered, else the proposal."""
        self.about = about
        self.question.styles.width = cell_len(question) + 1
        self.question.show(Content(question))
        self.input.value = proposal or self._given.get(about, "")
        self.add_class("-asking")
        self.input.focus()
        self.input.action_end()

    def close(self) -> None:
        """Ask no more."""
        self.about = ""
        self.remove_class("-asking")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        about, text = self.about, event.value.strip()
        self._given[about] = text
        self.close()
        self.post_message(self.Answered(about, text) if text else self.Left())

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:  # noqa: ARG002
        if self.about:
            self.close()

    def action_leave(self) -> None:
        self.close()
        self.post_message(self.Left())
