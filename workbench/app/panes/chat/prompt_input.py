"""The line in which a prompt is typed."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input

ASK = "Ask something, or press Enter for a held-out question"
CONTINUE = "The beginning of a text, for the base to continue"


class PromptInput(Input):
    """An input whose Up and Down bring back what was typed before."""

    HELP = "What you type here goes to both sides when you press Enter. Up and Down bring back earlier prompts."

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "recall(1)", "Earlier prompt", show=False),
        Binding("down", "recall(-1)", "Later prompt", show=False),
    ]

    DEFAULT_CSS = """
    PromptInput { background: transparent; width: 1fr; }
    PromptInput:focus { background: transparent; }
    """

    def __init__(self, recall: Callable[[int], str | None], *, id: str | None = None) -> None:
        super().__init__(placeholder=ASK, compact=True, id=id)
        self.cursor_blink = False  # a blinking cursor sends the whole line twice a second
        self._recall = recall
        self._back = 0

    def say(self, complete: bool) -> None:
        """Say what an empty line waits for."""
        self.placeholder = CONTINUE if complete else ASK

    def on_input_submitted(self) -> None:
        self._back = 0

    def action_recall(self, further: int) -> None:
        """Bring back an earlier prompt, or a later one; past the last the line is empty."""
        back = max(0, self._back + further)
        text = self._recall(back) if back else ""
        if text is not None:
            self._back = back
            self.value = text
            self.cursor_position = len(text)
