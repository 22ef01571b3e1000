"""What all dialogs look like."""

DIALOG_CSS = """
    align: center middle;
    background: $background 60%;
    .dialog {
        width: 72; max-width: 96%; height: auto; max-height: 96%; padding: 1 2;
        border: $edge $border; background: $surface; border-title-color: $primary; border-title-style: bold;
    }
    .dialog-buttons { height: auto; margin-top: 1; }
    .dialog-buttons Button { margin-right: 2; width: auto; min-width: 8; }
"""
"""Rules for a modal screen with one `.dialog` in it."""
