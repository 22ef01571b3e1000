"""Screens that lie over the panes: the welcome, questions, help, and the one for a terminal that is too small."""
