"""Colours: a calm dark theme, a light one for a projector, and one of high contrast."""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="workbench",
    primary="#6cb6e8",
    secondary="#8fa7bd",
    accent="#e6b566",
    success="#83c995",
    warning="#e6b566",
    error="#f08c86",
    foreground="#d8dfe8",
    background="#10151b",
    surface="#151c24",
    panel="#1d2631",
    boost="#ffffff0a",
    dark=True,
    variables={
        "quiet": "#93a1b1",
        "edge-blurred": "#36434f",
        "bar-empty": "#3a4754",
        "border": "#6cb6e8",
        "input-selection-background": "#6cb6e8 35%",
        "block-cursor-text-style": "bold",
        "footer-key-foreground": "#e6b566",
    },
)

LIGHT = Theme(
    name="workbench-light",
    primary="#0b5f94",
    secondary="#47586a",
    accent="#8a5200",
    success="#1f6b37",
    warning="#8a5200",
    error="#a8201a",
    foreground="#1b232c",
    background="#f6f7f8",
    surface="#ffffff",
    panel="#e6eaee",
    boost="#0000000a",
    dark=False,
    variables={
        "quiet": "#4c5a68",
        "edge-blurred": "#aab4be",
        "bar-empty": "#aab4be",
        "border": "#0b5f94",
        "input-selection-background": "#0b5f94 25%",
        "block-cursor-text-style": "bold",
        "footer-key-foreground": "#8a5200",
    },
)

HIGH_CONTRAST = Theme(
    name="workbench-contrast",
    primary="#00e5ff",
    secondary="#ffffff",
    accent="#ffe600",
    success="#5dff7f",
    warning="#ffe600",
    error="#ff8f8f",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#1a1a1a",
    boost="#ffffff14",
    dark=True,
    text_alpha=1.0,
    variables={
        "quiet": "#e0e0e0",
        "edge-blurred": "#b0b0b0",
        "bar-empty": "#b0b0b0",
        "border": "#ffe600",
        "input-selection-background": "#ffe600 45%",
        "block-cursor-text-style": "bold",
        "footer-key-foreground": "#ffe600",
    },
)

THEMES: dict[str, Theme] = {theme.name: theme for theme in (DARK, LIGHT, HIGH_CONTRAST)}
"""Themes by name, in the order in which the key goes through them."""

TITLES = {"workbench": "dark", "workbench-light": "light", "workbench-contrast": "high contrast"}
"""What people call them."""
