"""The method pane: which weights are trained, with which knobs, and how many parameters that is."""

from workbench.app.panes.method.pane import MethodPane

__all__ = ["MethodPane"]
