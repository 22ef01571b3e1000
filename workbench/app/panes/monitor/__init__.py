"""Monitor: how the followed run is going."""

from workbench.app.panes.monitor.pane import MonitorPane

__all__ = ["MonitorPane"]
