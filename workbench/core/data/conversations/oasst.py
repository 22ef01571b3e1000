"""Open Assistant's flat trees: the best conversation of each, or every path from a question to its last answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TreePath:
    """One conversation of a tree."""

    tree: int
    """The row of its first message."""
    last: int
    """The row of its last answer, or of its first message where nobody answers."""
    turns: tuple[tuple[str, str], ...]
    """Role and text of each message."""


@dataclass(frozen=True, slots=True)
class _Node:
    name: str
    role: str
    text: str
    rank: float


def paths_of_trees(rows: Iterable[Mapping[str, Any]], every: bool = False) -> Iterator[TreePath]:
    """The conversation along the best-ranked replies of every tree, or with `every` all of its conversations.

    A reply of rank 0 is the best; unranked ones come last, in the order of the file. A conversation ends with an answer
    that nobody has answered again. A tree whose first message is missing is left out, and so is what a message repeats
    of its own ancestors.
    """
    children: dict[str, list[int]] = {}
    roots: list[int] = []
    nodes: list[_Node] = []
    for number, row in enumerate(rows):
        parent = row.get("parent_id")
        name, role, text = (str(row.get(key) or "") for key in ("message_id", "role", "text"))
        nodes.append(_Node(name, role, text, _rank(row)))
        if parent in (None, ""):
            roots.append(number)
        else:
            children.setdefault(str(parent), []).append(number)
    for root in roots:
        ends: set[int] = set()
        for numbers in _walk(nodes, children, root, every):
            while numbers and nodes[numbers[-1]].role != "assistant":
                numbers.pop()
            last = numbers[-1] if numbers else root
            if last not in ends:  # two questions behind one answer leave the same conversation
                ends.add(last)
                turns = tuple((nodes[number].role, nodes[number].text) for number in numbers)
                yield TreePath(root, last, turns)


def _walk(nodes: Sequence[_Node], children: Mapping[str, Sequence[int]], root: int, every: bool) -> Iterator[list[int]]:
    """The row numbers of each path from `root` down, best replies first."""
    waiting: list[list[int]] = [[root]]
    while waiting:
        path = waiting.pop()
        replies = [reply for reply in children.get(nodes[path[-1]].name, ()) if reply not in path]
        if not replies:
            yield path
            continue
        replies.sort(key=lambda reply: (nodes[reply].rank, reply))
        if not every:
            replies = replies[:1]
        waiting += [[*path, reply] for reply in reversed(replies)]


def _rank(row: Mapping[str, Any]) -> float:
    rank = row.get("rank")
    try:
        return float("inf") if rank in (None, "") else float(str(rank))
    except ValueError:
        return float("inf")
