"""F1: what has the focus, where it is, and every key that does something there."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Static

from workbench.app.actions import ACTIONS, PANE_HELP, PANES, Action, key_name
from workbench.app.screens.dialog import DIALOG_CSS


class Explanation(ModalScreen[None]):
    """Text that scrolls; any of the usual keys closes it."""

    DEFAULT_CSS = f"""
    Explanation {{ {DIALOG_CSS} }}
    Explanation .dialog {{ width: 84; height: auto; }}
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f1,question_mark,q,enter", "dismiss(None)", "Close", key_display="Esc")
    ]

    def __init__(self, pane: str, focused: Widget | None) -> None:
        super().__init__()
        self.text = explanation_of(pane, focused)
        self.place = PANES.get(pane, "")

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog") as dialog:
            dialog.border_title = f"Help: {self.place}" if self.place else "Help"
            dialog.border_subtitle = "Esc closes"
            yield Static(self.text)


def explanation_of(pane: str, focused: Widget | None) -> Content:
    """What F1 says: the focused widget's own words from the inside out, the keys, and what is told at the end."""
    parts: list[Content] = []
    for node in focused.ancestors_with_self if focused else ():
        words = node.explain() if hasattr(node, "explain") else type(node).__dict__.get("HELP")
        if words and type(node).__module__.startswith("workbench"):
            parts.append(Content(str(words)))
    if not parts and pane in PANE_HELP:
        parts.append(Content(PANE_HELP[pane]))
    if ACTIONS.get(pane):
        parts.append(_keys(f"Keys in {PANES[pane]}", ACTIONS[pane]))
    parts.append(_keys("Keys everywhere", ACTIONS["app"]))
    parts.append(
        _lines(
            "In a form",
            [
                ("Tab, Down", "to the next field; Shift+Tab or Up to the one before"),
                ("+ and -", "the next value up or down, with no typing"),
                ("Enter", "lists the choices of a field that has some; Space turns a switch"),
                ("Esc", "takes back what was typed"),
            ],
        )
    )
    for node in focused.ancestors_with_self if focused else ():
        if hasattr(node, "explain_more"):
            parts.append(Content(str(node.explain_more())))
    return Content("\n\n").join(part for part in parts if part)


def _keys(title: str, actions: tuple[Action, ...]) -> Content:
    return _lines(
        title, [(", ".join(key_name(key) for key in action.keys), action.help) for action in actions if action.keys]
    )


def _lines(title: str, rows: list[tuple[str, str]]) -> Content:
    pieces: list[tuple[str, str] | str] = [(title, "bold $primary")]
    for keys, words in rows:
        pieces += ["\n", (f"{keys:<16}", "bold $accent"), f" {words}"]
    return Content.assemble(*pieces)
