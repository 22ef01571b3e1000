"""Open Assistant's flat trees: the best conversation of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


def conversations_of_trees(rows: Sequence[dict[str, Any]]) -> Iterable[tuple[int, list[tuple[str, str]]]]:
    """For every tree, the row of its root and the turns (role, text) along the best-ranked replies.

    A reply of rank 0 is the best; unranked ones come last, in the order of the file. A tree whose root is missing is
    left out.
    """
    children: dict[str, list[int]] = {}
    roots: list[int] = []
    for number, row in enumerate(rows):
        parent = row.get("parent_id")
        if parent in (None, ""):
            roots.append(number)
        else:
            children.setdefault(str(parent), []).append(number)
    for root in roots:
        turns: list[tuple[str, str]] = []
        seen: set[int] = set()
        current: int | None = root
        while current is not None and current not in seen:
            seen.add(current)
            row = rows[current]
            turns.append((str(row.get("role", "")), str(row.get("text") or "")))
            replies = children.get(str(row.get("message_id")), [])
            current = min(replies, key=lambda reply: (_rank(rows[reply]), reply)) if replies else None
        while turns and turns[-1][0] != "assistant":
            turns.pop()
        yield root, turns


def _rank(row: dict[str, Any]) -> float:
    rank = row.get("rank")
    try:
        return float("inf") if rank in (None, "") else float(str(rank))
    except ValueError:
        return float("inf")
