"""Rows as tokens: what a model is trained on, five bytes a token, and how a row is fitted to a length."""

from __future__ import annotations

from array import array
from collections.abc import Sequence


class Example:
    """One row, or a piece of one, as tokens. A token's label is its id where it is trained on, else -100."""

    __slots__ = ("_ids", "_trained", "cut", "row")

    def __init__(self, row: int, ids: Sequence[int], trained: Sequence[bool | int], cut: int = 0) -> None:
        self.row = row
        """Index of the row in its source, from 0."""
        self.cut = cut
        """Tokens of the row that were cut off."""
        self._ids = ids if isinstance(ids, array) else array("i", ids)
        self._trained = bytes(trained)

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(self._ids)

    @property
    def trained(self) -> tuple[bool, ...]:
        return tuple(map(bool, self._trained))

    @property
    def trained_tokens(self) -> int:
        """Tokens with a loss; the first token of a row has none, since nothing comes before it."""
        return self._trained.count(1, 1)

    @property
    def all_trained(self) -> int:
        """Tokens that the mask marks, the first of the row among them."""
        return self._trained.count(1)

    @property
    def first_trained(self) -> int:
        """Index of the first trained token, -1 where there is none."""
        return self._trained.find(1)

    @property
    def last_trained(self) -> int:
        """Index of the last trained token, -1 where there is none."""
        return self._trained.rfind(1)

    def token_at(self, index: int) -> int:
        return self._ids[index]

    def content(self) -> tuple[bytes, bytes]:
        """The tokens, four bytes each, and the mask, one byte each."""
        return self._ids.tobytes(), self._trained

    def piece(self, start: int, stop: int, cut: int) -> Example:
        """The tokens from `start` to `stop`."""
        return Example(self.row, self._ids[start:stop], self._trained[start:stop], cut)

    def __len__(self) -> int:
        return len(self._ids)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Example) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return f"Example(row={self.row}, ids={self.ids}, trained={self.trained}, cut={self.cut})"

    @property
    def _key(self) -> tuple[int, bytes, bytes, int]:
        return self.row, self._ids.tobytes(), self._trained, self.cut


def fit_rows(whole: Example, max_length: int, over_length: str) -> list[Example]:
    """The row as examples of at most `max_length` tokens: one, none where it is dropped, or its pieces (`split`).

    A piece without a trained token is left out. Pieces follow each other without overlap; the tokens of the first ones
    are no context for the later ones.
    """
    count = len(whole)
    cut = max(0, count - max_length)
    if not cut:
        return [whole]
    if over_length == "drop":
        return []
    if over_length == "split":
        pieces = [whole.piece(start, min(count, start + max_length), 0) for start in range(0, count, max_length)]
        return [piece for piece in pieces if piece.trained_tokens]
    return [whole.piece(cut, count, cut) if over_length == "cut_left" else whole.piece(0, max_length, cut)]


def fit_example(
    row: int, ids: Sequence[int], trained: Sequence[bool], max_length: int, over_length: str
) -> Example | None:
    """The row as one example of at most `max_length` tokens (its first piece, with `split`), or None."""
    return next(iter(fit_rows(Example(row, ids, trained), max_length, over_length)), None)
