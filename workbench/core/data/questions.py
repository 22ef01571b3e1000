"""Questions from any data: what leads to each row's last answer, or a whole row where it has none."""

from __future__ import annotations

from typing import Any

from workbench.core.data.reading import read_data
from workbench.core.data.tokens.mask import as_mapping
from workbench.core.errors import UserError
from workbench.core.places import Workspace
from workbench.core.recipe import DataSection


def read_questions(section: DataSection, count: int, workspace: Workspace | None = None) -> list[list[dict[str, Any]]]:
    """The messages of the first `count` rows that ask something; UserError where none does."""
    found: list[list[dict[str, Any]]] = []
    for _, conversation in read_data(section, workspace=workspace).pairs():
        if len(found) == count:
            break
        last = max((n for n, turn in enumerate(conversation.messages) if turn.role == "assistant"), default=None)
        asked = [as_mapping(message) for message in conversation.messages[:last]]
        if conversation.problem is None and asked and asked[-1]["role"] == "user":
            found.append(asked)
    if not found:
        raise UserError(f"No row of {section.source} asks anything; workbench inspect says how it is read.")
    return found
