"""What is wrong, or may be wrong, with the data: each finding with a count and its rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from workbench.core.data.conversations import Conversation
from workbench.core.data.mask import Example
from workbench.core.data.templates import ChatTemplate

if TYPE_CHECKING:
    from workbench.core.data.dataset import Encoded

SHOWN = 20
"""Rows that a finding names; its count is of all."""


def find_problems(
    conversations: Sequence[Conversation],
    training: Sequence[Conversation],
    held: Sequence[Conversation],
    template: ChatTemplate,
    encoded: Sequence[Encoded],
    fitted: Sequence[Example | None],
) -> list[dict[str, Any]]:
    """Findings as {"kind", "severity" (info, warning, error), "count", "rows" (from 0), "sentence"}.

    `conversations` are all of the source; `encoded` and `fitted` hold the training rows, then the held-out ones.
    Only findings with a count are given.
    """
    found: list[dict[str, Any]] = []
    reasons: dict[str, list[int]] = {}
    for conversation in conversations:
        if conversation.problem:
            reasons.setdefault(conversation.problem, []).append(conversation.row)
    for reason, rows in reasons.items():
        found.append(_finding(_KINDS.get(reason, "unreadable"), "warning", rows, f"Rows left out, because {reason}"))
    long = [row.row for row, item in zip(encoded, fitted, strict=True) if item is None]
    found.append(_finding("too_long", "warning", long, "Rows left out, longer than data.max_length"))
    cut = [item.row for item in fitted if item is not None and item.cut]
    found.append(_finding("cut", "warning", cut, "Rows cut, longer than data.max_length"))
    silent = [item.row for item in fitted if item is not None and not item.trained_tokens]
    found.append(_finding("no_trained_token", "warning", silent, "Rows left out, without a token to train on"))
    found.append(_finding("no_end_token", "warning", _without_end(template, encoded), _NO_END))
    found.append(_finding("duplicate", "info", _repeated(training), "Rows that repeat an earlier row"))
    asked = {_prompt(item) for item in training}
    leaked = [item.row for item in held if _prompt(item) in asked]
    found.append(_finding("leak", "warning", leaked, "Held-out rows whose prompt is also trained on"))
    return [finding for finding in found if finding["count"]]


_KINDS = {"it has no answer": "no_answer", "it has no prompt": "no_prompt", "it is empty": "empty"}
_NO_END = "Rows without a trained end token, so that the model may not learn to stop"


def _finding(kind: str, severity: str, rows: Sequence[int], what: str) -> dict[str, Any]:
    sentence = f"{what}: {len(rows):,}."
    return {"kind": kind, "severity": severity, "count": len(rows), "rows": list(rows[:SHOWN]), "sentence": sentence}


def _without_end(template: ChatTemplate, encoded: Sequence[Encoded]) -> list[int]:
    """Rows whose last trained token is no special token."""
    special = {token for token, added in template.tokenizer.backend.get_added_tokens_decoder().items() if added.special}
    rows = []
    for row in encoded:
        last = max((index for index, trained in enumerate(row.trained) if trained), default=None)
        if last is not None and row.ids[last] not in special:
            rows.append(row.row)
    return rows


def _prompt(conversation: Conversation) -> tuple[str, ...]:
    """What a conversation asks: all but its last turn, or its whole text."""
    if conversation.text is not None:
        return (conversation.text,)
    return _key(conversation)[:-1]


def _key(conversation: Conversation) -> tuple[str, ...]:
    if conversation.text is not None:
        return (conversation.text,)
    return tuple(f"{message.role}\0{message.content}" for message in conversation.messages)


def _repeated(conversations: Sequence[Conversation]) -> list[int]:
    seen: set[tuple[str, ...]] = set()
    rows = []
    for conversation in conversations:
        key = _key(conversation)
        if key in seen:
            rows.append(conversation.row)
        seen.add(key)
    return rows
