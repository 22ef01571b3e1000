"""The memory pane: what a run will need, whether it fits, and what would make it need less."""

from workbench.app.panes.memory.pane import MemoryPane

__all__ = ["MemoryPane"]
