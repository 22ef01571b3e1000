"""Rows that say the same: exactly, or nearly, by MinHash over runs of three words.

Broder, "On the resemblance and containment of documents" (1997); the hashes are rensa's. Two texts are compared where
one of eight bands of their hashes is the same, as in Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", 3.4.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Container, Iterable, Sequence

WORDS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+")
"""Words; a letter of a script without spaces is one."""

SHORTEST = 8
"""Words of the shortest text that is compared nearly; a shorter one is a duplicate only where it is exactly equal."""

THRESHOLD = 0.8
"""Least share of common runs of words (Jaccard) of near duplicates, as estimated from 64 hashes."""

HASHES = 64
BANDS = 8
SEED = 42
SIZE = 4 * HASHES
"""Bytes of a signature."""

WIDTH = SIZE // BANDS
LOOKED_AT = 64
"""Candidates of one row that are compared."""

EVERY = 1 << 16

Place = tuple[int, int]
"""A band and what the hashes in it are, in one number."""


def shingles(text: str) -> list[str]:
    """The text's runs of three words; none for a short text."""
    words = WORDS.findall(text.casefold())
    if len(words) < SHORTEST:
        return []
    return list(map(" ".join, zip(words, words[1:], words[2:], strict=False)))


def sign(texts: Iterable[str]) -> list[bytes]:
    """For each text the 64 least hashes of its runs of words; nothing for a short text."""
    from rensa import RMinHash

    runs = [shingles(text) for text in texts]
    found = iter(RMinHash.digests_from_token_sets([each for each in runs if each], HASHES, SEED))
    return [array("I", next(found)).tobytes() if each else b"" for each in runs]


class Resemblance:
    """Texts in the order they come, each put with the first one that it resembles; 300 bytes a text are held."""

    def __init__(self) -> None:
        self._cluster = array("q")
        self._exact: dict[int, int] = {}
        self._signed = array("q")
        """Numbers of the texts that have a signature, in ascending order."""
        self._signatures = bytearray()

    def add(self, key: int, signature: bytes) -> bool:
        """Take the next text with the hash `key` of all that makes it equal to another; whether it was there before."""
        number = len(self._cluster)
        first = self._exact.setdefault(key, number)
        self._cluster.append(first)
        if first != number:
            return True
        if signature:
            self._signed.append(number)
            self._signatures += signature
        return False

    def clusters(self, check: Callable[[], None] | None = None) -> array[int]:
        """For each text the number of the first one that it equals or resembles, else its own.

        `check` is called now and then; raising in it ends the work.
        """
        index = _Index(self._repeated(check))
        near: dict[int, int] = {}
        for at, number in enumerate(self._signed):
            if check and at % EVERY == 0:
                check()
            signature = self._signature(at)
            places = index.places(signature)
            if places:
                match = index.like(signature, places)
                if match is None:
                    index.insert(number, signature, places)
                else:
                    near[number] = match
        return array("q", (near.get(first, first) for first in self._cluster))

    def resembling(self, places: Sequence[int], other: Resemblance, others: Sequence[int]) -> list[int]:
        """Those of `places` whose text equals or nearly repeats one of the `others` in another collection."""
        asked = {place for at in range(len(self._signed)) for place in _places(self._signature(at))}
        index = _Index([_Of(asked, band) for band in range(BANDS)])
        wanted = {other._cluster[place] for place in others}
        for at, number in enumerate(other._signed):
            signature = other._signature(at)
            if number in wanted and (there := index.places(signature)) and index.like(signature, there) is None:
                index.insert(number, signature, there)
        equal = {key for key, number in other._exact.items() if number in wanted}
        keys = {number: key for key, number in self._exact.items()}
        signed = {number: at for at, number in enumerate(self._signed)}
        found = []
        for place in places:
            first = self._cluster[place]
            signature = self._signature(signed[first]) if first in signed else b""
            if keys[first] in equal or (signature and index.like(signature, index.places(signature)) is not None):
                found.append(place)
        return found

    def _signature(self, at: int) -> bytes:
        return bytes(self._signatures[at * SIZE : (at + 1) * SIZE])

    def _repeated(self, check: Callable[[], None] | None) -> list[set[int]]:
        """For each band what occurs in it more than once: only there can texts resemble each other."""
        view, found = memoryview(self._signatures), []
        for start in range(0, SIZE, WIDTH):
            seen: set[int] = set()
            twice: set[int] = set()
            for at in range(start, len(view), SIZE):
                if check and (at - start) % (SIZE * EVERY) == 0:
                    check()
                key = hash(bytes(view[at : at + WIDTH]))
                (twice if key in seen else seen).add(key)
            found.append(twice)
        return found


class _Of:
    """The keys of one band among places of all bands."""

    def __init__(self, places: set[Place], band: int) -> None:
        self._places, self._band = places, band

    def __contains__(self, key: object) -> bool:
        return (self._band, key) in self._places


class _Index:
    """Signatures by the places where others may meet them."""

    def __init__(self, wanted: Sequence[Container[int]]) -> None:
        self._wanted = wanted
        self._numbers: dict[Place, list[int]] = {}
        self._kept: dict[int, bytes] = {}

    def places(self, signature: bytes) -> list[Place]:
        """Where the signature meets another one at all."""
        return [place for place in _places(signature) if place[1] in self._wanted[place[0]]]

    def like(self, signature: bytes, places: Sequence[Place]) -> int | None:
        """The first one there that the signature resembles."""
        candidates = sorted({number for place in places for number in self._numbers.get(place, ())})[:LOOKED_AT]
        return next((number for number in candidates if jaccard(self._kept[number], signature) >= THRESHOLD), None)

    def insert(self, number: int, signature: bytes, places: Sequence[Place]) -> None:
        self._kept[number] = signature
        for place in places:
            there = self._numbers.setdefault(place, [])
            if len(there) < LOOKED_AT:  # numbers ascend, so that no later one is among the first
                there.append(number)


def _places(signature: bytes) -> list[Place]:
    return [(start // WIDTH, hash(signature[start : start + WIDTH])) for start in range(0, SIZE, WIDTH)]


def jaccard(one: bytes, other: bytes) -> float:
    """The share of common runs of words, as two signatures tell it."""
    pairs = zip(array("I", one), array("I", other), strict=True)
    return sum(a == b for a, b in pairs) / HASHES


def members(clusters: Sequence[int]) -> list[int]:
    """The places whose text resembles an earlier one."""
    return [place for place, first in enumerate(clusters) if first != place]
