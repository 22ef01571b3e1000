"""What the app remembers of a person's taste, in the workspace."""

from __future__ import annotations

from typing import Any

from workbench.core.files import read_json, write_json_atomically
from workbench.core.places import Workspace

FILE = "app.json"


def load_preferences(workspace: Workspace) -> dict[str, Any]:
    """The preferences; empty where there are none yet."""
    values = read_json(workspace.root / FILE)
    return values if isinstance(values, dict) else {}


def save_preference(workspace: Workspace, key: str, value: Any) -> None:
    """Remember one; a workspace that cannot be written forgets it."""
    try:
        write_json_atomically(workspace.root / FILE, {**load_preferences(workspace), key: value})
    except OSError:
        return
