"""The first screen: three doors."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Static

from workbench.app.glyphs import glyphs
from workbench.app.widgets.drawn import Drawn

DOORS: dict[str, tuple[str, str]] = {
    "story": (
        "The bundled story",
        "Teach a tiny model the capitals of the world with LoRA. No network, no GPU, about a minute.",
    ),
    "own": ("My own model and data", "A model folder, a .gguf file or a Hub id, and a file of pairs to train on."),
    "learn": ("Learn", "What a low-rank update is, where the memory goes, what is masked and why."),
}
"""What a newcomer can do first: name, title and two lines about it."""


class Door(Drawn, can_focus=True):
    """One way in."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    Door { border: $edge $edge-blurred; padding: 0 1; pointer: pointer; }
    Door:hover { border: $edge $secondary; }
    Door:focus { border: $edge $border; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "open", "Open", key_display="Enter"),
        Binding("down,right", "app.focus_next", "Next", show=False),
        Binding("up,left", "app.focus_previous", "Previous", show=False),
    ]

    class Opened(Message):
        """The person goes in."""

        def __init__(self, door: str) -> None:
            super().__init__()
            self.door = door

    def __init__(self, number: int, door: str) -> None:
        super().__init__(self._face, id=door)
        self.number = number
        self.door = door

    def _face(self, width: int) -> Content:  # noqa: ARG002
        title, words = DOORS[self.door]
        pointer = glyphs().pointer if self.has_focus else " "
        return Content.assemble((f"{pointer} {self.number} ", "bold $accent"), (title, "bold $primary"), "\n", words)

    def action_open(self) -> None:
        self.post_message(self.Opened(self.door))

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.action_open()


class Welcome(ModalScreen[str | None]):
    """Gives the name of a door, or None."""

    DEFAULT_CSS = """
    Welcome { background: $background; align: center middle; }
    Welcome .welcome { width: 78; max-width: 100%; height: auto; max-height: 100%; padding: 0 2; }
    Welcome .welcome-head { height: auto; margin-bottom: 1; }
    Welcome .welcome-foot { height: auto; color: $quiet; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "door('story')", "Story", show=False),
        Binding("2", "door('own')", "Own", show=False),
        Binding("3", "door('learn')", "Learn", show=False),
        Binding("escape", "dismiss(None)", "Look around", key_display="Esc"),
    ]
    HELP = "Three ways to begin. Enter goes through the one that is lit; the arrows and Tab move between them."

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="welcome", can_focus=False):
            yield Static(
                Content.assemble(
                    ("Workbench", "bold $primary"),
                    "\nFine-tune a language model in the terminal: data, method, memory,\n"
                    "live training, and the base and the tuned model side by side.",
                ),
                classes="welcome-head",
            )
            for number, door in enumerate(DOORS, 1):
                yield Door(number, door)
            yield Static(
                Content.assemble(
                    ("Enter", "bold $accent"), " opens the door that is lit   ",
                    ("Esc", "bold $accent"), " looks around   ",
                    ("^q", "bold $accent"), " leaves",
                ),
                classes="welcome-foot",
            )  # fmt: skip

    def on_mount(self) -> None:
        self.query_one("#story").focus()

    def action_door(self, door: str) -> None:
        self.dismiss(door)

    def on_door_opened(self, event: Door.Opened) -> None:
        event.stop()
        self.dismiss(event.door)
