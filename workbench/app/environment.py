"""What Textual reads from the environment at import, chosen by where the terminal is."""

from __future__ import annotations

import os
from collections.abc import MutableMapping


def prepare_environment(environment: MutableMapping[str, str] = os.environ) -> None:
    """Over SSH: fewer frames, no animation, no smooth scrolling. A person's own choice stays. Call before Textual."""
    if not (environment.get("SSH_CONNECTION") or environment.get("SSH_TTY")):
        return
    environment.setdefault("TEXTUAL_FPS", "15")
    environment.setdefault("TEXTUAL_ANIMATIONS", "none")
    environment.setdefault("TEXTUAL_SMOOTH_SCROLL", "0")
