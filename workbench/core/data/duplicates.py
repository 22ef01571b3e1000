"""Rows that say the same: exactly, or nearly, by MinHash over runs of three words.

Broder, "On the resemblance and containment of documents" (1997); the signatures and their index are rensa's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

WORDS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+")
"""Words; a letter of a script without spaces is one."""

SHORTEST = 8
"""Words of the shortest text that is compared nearly; a shorter one is a duplicate only where it is exactly equal."""

THRESHOLD = 0.8
"""Least share of common runs of words (Jaccard) of near duplicates, as estimated from 64 hashes."""

HASHES = 64
BANDS = 8
BATCH = 2048
SEED = 42
LOOKED_AT = 64
"""Candidates of one row that are compared."""


def shingles(text: str) -> list[str]:
    """The text's runs of three words; none for a short text."""
    words = WORDS.findall(text.casefold())
    if len(words) < SHORTEST:
        return []
    return list(map(" ".join, zip(words, words[1:], words[2:], strict=False)))


class Resemblance:
    """Texts in the order they come, each put with the first one that it resembles."""

    def __init__(self) -> None:
        self._cluster: list[int] = []
        self._exact: dict[int, int] = {}
        self._waiting: list[tuple[int, list[str]]] = []
        self._signatures: list[tuple[int, Any]] = []

    def add(self, key: int, text: str) -> bool:
        """Take the next text with the hash `key` of all that makes it equal to another; whether it was there before."""
        number = len(self._cluster)
        first = self._exact.setdefault(key, number)
        self._cluster.append(first)
        if first != number:
            return True
        runs = shingles(text)
        if runs:
            self._waiting.append((number, runs))
            if len(self._waiting) == BATCH:
                self._sign()
        return False

    def clusters(self) -> list[int]:
        """For each text the number of the first one that it equals or resembles, else its own."""
        from rensa import RMinHashLSH

        if self._waiting:
            self._sign()
        index = RMinHashLSH(THRESHOLD, HASHES, BANDS)
        kept: dict[int, Any] = {}
        near: dict[int, int] = {}
        for number, signature in self._signatures:
            candidates = sorted(index.query(signature))[:LOOKED_AT]
            match = next((other for other in candidates if kept[other].jaccard(signature) >= THRESHOLD), None)
            if match is None:
                index.insert(number, signature)
                kept[number] = signature
            else:
                near[number] = match
        return [near.get(first, first) for first in self._cluster]

    def resembling(self, places: Sequence[int], other: Resemblance, others: Sequence[int]) -> list[int]:
        """Those of `places` whose text equals or nearly repeats one of the `others` in another collection."""
        from rensa import RMinHashLSH

        for each in (self, other):
            if each._waiting:
                each._sign()
        wanted = {other._cluster[place] for place in others}
        index = RMinHashLSH(THRESHOLD, HASHES, BANDS)
        kept: dict[int, Any] = {}
        for number, signature in other._signatures:
            if number in wanted and not any(
                kept[near].jaccard(signature) >= THRESHOLD for near in index.query(signature)[:LOOKED_AT]
            ):
                index.insert(number, signature)
                kept[number] = signature
        equal = {key for key, number in other._exact.items() if number in wanted}
        keys = {number: key for key, number in self._exact.items()}
        signatures = dict(self._signatures)
        found = []
        for place in places:
            first = self._cluster[place]
            signature = signatures.get(first)
            if keys[first] in equal or (
                signature is not None
                and any(kept[near].jaccard(signature) >= THRESHOLD for near in index.query(signature)[:LOOKED_AT])
            ):
                found.append(place)
        return found

    def _sign(self) -> None:
        from rensa import RMinHash

        found = RMinHash.from_token_sets([runs for _, runs in self._waiting], HASHES, SEED)
        self._signatures += zip((number for number, _ in self._waiting), found, strict=True)
        self._waiting = []


def members(clusters: Sequence[int]) -> list[int]:
    """The places whose text resembles an earlier one."""
    return [place for place, first in enumerate(clusters) if first != place]
