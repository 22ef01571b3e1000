"""Whether an answer is right."""

from __future__ import annotations


def exact_match(given: str, expected: str) -> bool:
    """Whether both are the same text but for white space at the ends."""
    return given.strip() == expected.strip()
