"""Runs: every run of the workspace, and comparisons of them."""

from workbench.app.panes.runs.pane import RunsPane

__all__ = ["RunsPane"]
