"""What the knob that has the focus means, at a place of its own, so that a form does not jump while one walks it."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from workbench.app.widgets.drawn import Drawn
from workbench.app.widgets.knob_row import HELP, KnobRow, room_for_help


class Meaning(Drawn):
    """Two lines below a form that is too narrow for the meaning to stand beside each field."""

    DEFAULT_CSS = """
    Meaning { height: 2; color: $quiet; }
    """

    def show_for(self, focused: Widget, width: int) -> None:
        """Show the meaning of the knob that holds `focused`, if any, in a form `width` cells wide."""
        self.display = room_for_help(width) < HELP
        row = next((node for node in focused.ancestors_with_self if isinstance(node, KnobRow)), None)
        self.show(Content.styled(row.knob.help, "$quiet") if row else "")
