"""Learn: what happens inside, one short lesson at a time."""

from workbench.app.panes.learn.pane import LearnPane

__all__ = ["LearnPane"]
