"""What panes tell the app; messages go up, values come down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.message import Message

if TYPE_CHECKING:
    from workbench.core.runs.folder import RunFolder


class RecipeEdited(Message):
    """The person changed settings of the recipe: `section.key` to value."""

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__()
        self.settings = settings


class RecipeOpened(Message):
    """The person chose another recipe file or bundled sample's recipe."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path


class StartRequested(Message):
    """The person wants a run of the recipe."""


class RunChosen(Message):
    """The person chose a run to follow."""

    def __init__(self, folder: RunFolder) -> None:
        super().__init__()
        self.folder = folder


class ControlRequested(Message):
    """The person wants the followed run to run, pause, stop or write a checkpoint."""

    def __init__(self, want: str) -> None:
        super().__init__()
        self.want = want


class ChatRequested(Message):
    """The person wants to talk with a run's base and tuned model."""

    def __init__(self, folder: RunFolder) -> None:
        super().__init__()
        self.folder = folder


class Told(Message):
    """Something that the person should read: one sentence, and how grave it is (information, warning or error)."""

    def __init__(self, sentence: str, severity: str = "information") -> None:
        super().__init__()
        self.sentence = sentence
        self.severity = severity
