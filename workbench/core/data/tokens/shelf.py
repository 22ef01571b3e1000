"""Tokens of many rows: a few megabytes in memory, the rest in a file without a name."""

from __future__ import annotations

import os
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from typing import Any

from workbench.core.data.tokens.example import Example
from workbench.core.errors import UserError

HELD = 64 << 20
"""Bytes of tokens that stay in memory."""


class Shelf(Sequence[Example]):
    """Rows as tokens, in the order they come; about 40 bytes a row are held, and 64 MB of tokens."""

    def __init__(self, held: int = HELD) -> None:
        self._limit = held
        self._held = bytearray()
        self._file: Any = None
        self._written = 0
        self._rows = array("q")
        self._starts = array("q")
        self.counts = array("i")
        self.figures = array("i")
        """Four numbers a row: tokens with a loss, tokens that the mask marks, the first and the last of those."""

    def append(self, example: Example) -> None:
        """Take the next row, which must be whole. UserError where the disk is full."""
        self._rows.append(example.row)
        self._starts.append(self._written + len(self._held))
        self.counts.append(len(example))
        self.figures.extend((example.trained_tokens, example.all_trained, example.first_trained, example.last_trained))
        ids, trained = example.content()
        self._held += ids
        self._held += trained
        if len(self._held) > self._limit:
            self._write()

    def _write(self) -> None:
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - the rows stay in it
            view = memoryview(self._held)
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            folder = tempfile.gettempdir()
            raise UserError(
                f"The tokens of so many rows do not fit into {folder} ({error.strerror or error}); make room there, or "
                "take fewer rows with data.first."
            ) from None
        self._written += len(self._held)
        self._held = bytearray()

    def read(self, start: int, count: int) -> bytes:
        """Bytes from anywhere on the shelf."""
        if start >= self._written:
            return bytes(self._held[start - self._written : start - self._written + count])
        return os.pread(self._file.fileno(), count, start)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = index + len(self) if index < 0 else index
        return ShelvedExample(self, place, self._rows[place])

    def __iter__(self) -> Iterator[Example]:
        for place, row in enumerate(self._rows):
            yield ShelvedExample(self, place, row)

    def ids_of(self, place: int) -> array[int]:
        """The tokens of a row."""
        return array("i", self.read(self._starts[place], 4 * self.counts[place]))

    def trained_of(self, place: int) -> bytes:
        """The mask of a row, one byte a token."""
        count = self.counts[place]
        return self.read(self._starts[place] + 4 * count, count)

    def token(self, place: int, index: int) -> int:
        """One token of a row."""
        count = self.counts[place]
        at = index + count if index < 0 else index
        if not 0 <= at < count:
            raise IndexError(index)
        return array("i", self.read(self._starts[place] + 4 * at, 4))[0]


class ShelvedExample(Example):
    """A row on a shelf: its tokens are read when they are asked for."""

    __slots__ = ("_place", "_shelf")

    def __init__(self, shelf: Shelf, place: int, row: int) -> None:
        self.row = row
        self.cut = 0
        self._shelf = shelf
        self._place = place

    @property
    def _ids(self) -> array[int]:  # type: ignore[override]
        return self._shelf.ids_of(self._place)

    @property
    def _trained(self) -> bytes:  # type: ignore[override]
        return self._shelf.trained_of(self._place)

    @property
    def trained_tokens(self) -> int:
        return self._shelf.figures[4 * self._place]

    @property
    def all_trained(self) -> int:
        return self._shelf.figures[4 * self._place + 1]

    @property
    def first_trained(self) -> int:
        return self._shelf.figures[4 * self._place + 2]

    @property
    def last_trained(self) -> int:
        return self._shelf.figures[4 * self._place + 3]

    def token_at(self, index: int) -> int:
        return self._shelf.token(self._place, index)

    def __len__(self) -> int:
        return self._shelf.counts[self._place]
