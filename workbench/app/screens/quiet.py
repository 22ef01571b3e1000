"""The screen under the panes."""

from __future__ import annotations

from textual.reactive import Reactive
from textual.screen import Screen
from textual.widget import Widget


class QuietScreen(Screen[None]):
    """A screen that a change of focus does not draw anew.

    Textual's own sends every cell again at each Tab, 24 KB at 120 columns by 36 rows; what gains or loses the focus
    draws itself.
    """

    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
