"""Chat: base and tuned model, side by side."""

from workbench.app.panes.chat.pane import ChatPane

__all__ = ["ChatPane"]
