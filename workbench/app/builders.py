"""Building the panes, each when it is first shown, and handing the app's state down to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.reactive import Reactive
from textual.widget import Widget

if TYPE_CHECKING:
    from textual.app import App

STATE = {
    "recipe": "recipe",
    "skeleton": "skeleton",
    "model_note": "model_note",
    "device": "device",
    "experience": "experience",
    "estimate": "estimate",
    "estimate_note": "estimate_note",
    "data_state": "data_state",
    "run": "followed",
    "view": "view",
    "status": "status",
    "runs": "runs",
}
"""Reactives that a pane may declare, and the app's own whose value it is then handed, now and at every change."""


def build_pane(name: str) -> Widget:
    """A new pane; its module is imported only now."""
    if name == "data":
        from workbench.app.panes.data import DataPane

        return DataPane()
    if name == "method":
        from workbench.app.panes.method import MethodPane

        return MethodPane()
    if name == "memory":
        from workbench.app.panes.memory import MemoryPane

        return MemoryPane()
    if name == "monitor":
        from workbench.app.panes.monitor import MonitorPane

        return MonitorPane()
    if name == "chat":
        from workbench.app.panes.chat import ChatPane

        return ChatPane()
    if name == "runs":
        from workbench.app.panes.runs import RunsPane

        return RunsPane()
    from workbench.app.panes.learn import LearnPane

    return LearnPane()


def hand_down_once(app: App[None], widget: Widget) -> None:
    """Give a widget that is not mounted yet the state as it stands, so that its first drawing is right."""
    for name in _shared(widget):
        widget.set_reactive(getattr(type(widget), name), getattr(app, STATE[name]))


def keep_handing_down(app: App[None], widget: Widget) -> None:
    """Give a mounted widget the state, now and at every change."""
    for name in _shared(widget):
        _bind(app, widget, name)


def _bind(app: App[None], widget: Widget, name: str) -> None:
    def hand(value: object) -> None:
        setattr(widget, name, value)

    widget.watch(app, STATE[name], hand)


def _shared(widget: Widget) -> list[str]:
    return [name for name in STATE if isinstance(getattr(type(widget), name, None), Reactive)]
