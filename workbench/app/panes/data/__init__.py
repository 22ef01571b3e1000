"""The data pane: the rows, how they are rendered, and which tokens are trained on."""

from workbench.app.panes.data.pane import DataPane

__all__ = ["DataPane"]
