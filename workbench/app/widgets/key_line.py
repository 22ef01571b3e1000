"""The bottom line: what the keys do where the focus is."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.reactive import reactive
from textual.screen import Screen
from textual.widget import Widget

from workbench.app.actions import ACTIONS


@dataclass(frozen=True, slots=True)
class Hint:
    """A key and what it does."""

    key: str
    shown: str
    title: str
    action: str


KEPT = ("Start", "Help", "Quit")
"""Hints that stay however narrow the terminal is."""


class KeyLine(Widget):
    """One line of hints, cut at a whole hint; a click on one presses its key."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    KeyLine { dock: bottom; height: 1; padding: 0 1; background: $panel; }
    """

    hints: reactive[tuple[Hint, ...]] = reactive(())

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._bindings_changed)
        self.call_after_refresh(self._bindings_changed, self.screen)

    def _bindings_changed(self, screen: Screen[object]) -> None:
        if self.is_attached and screen is self.screen:
            self.hints = hints_of(screen)

    def _places(self) -> list[tuple[Hint, int, int]]:
        """The hints that fit, with first and last column; what belongs to the place comes first, and `KEPT` stay."""
        room = self.content_size.width
        hints = list(self.hints)
        while hints and sum(_width(hint) for hint in hints) + 2 * (len(hints) - 1) > room:
            cut = next(
                (
                    place
                    for place in range(len(hints) - 1, -1, -1)
                    if hints[place].title not in ("Start", "Help", "Quit")
                ),
                0,
            )
            del hints[cut]
        found, at = [], 0
        for hint in hints:
            found.append((hint, at, at + _width(hint)))
            at += _width(hint) + 2
        return found

    def render(self) -> Content:
        pieces: list[tuple[str, str] | str] = []
        for hint, start, _ in self._places():
            pieces += ["  " if start else "", (hint.shown, "bold $accent"), f" {hint.title}"]
        return Content.assemble(*pieces)

    def on_click(self, event: events.Click) -> None:
        x = event.get_content_offset_capture(self).x
        for hint, start, end in self._places():
            if start <= x < end:
                self.app.simulate_key(hint.key)


def _width(hint: Hint) -> int:
    return cell_len(hint.shown) + 1 + cell_len(hint.title)


def hints_of(screen: Screen[object]) -> tuple[Hint, ...]:
    """What the footer shows: one key for each action that is shown and can be done where the focus is."""
    found: dict[str, Hint] = {}
    for active in screen.active_bindings.values():
        binding = active.binding
        if binding.show and active.enabled and binding.action not in found:
            shown = binding.key_display or binding.key
            found[binding.action] = Hint(binding.key, shown, binding.description, binding.action)
    last = [action.call for action in ACTIONS["app"]]
    return tuple(sorted(found.values(), key=lambda hint: last.index(hint.action) if hint.action in last else -1))
