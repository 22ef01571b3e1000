"""A canvas of dots in character cells: two by four dots of braille a cell, or one dot where only ASCII is wanted."""

from __future__ import annotations

from collections.abc import Sequence

BRAILLE = 0x2800
"""The code point of the empty braille cell."""

BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bit of each dot of a braille cell, by row and column (Unicode 15, block Braille Patterns)."""

Cell = tuple[str, int | None]
"""A character and the number of the curve it belongs to, or None."""


class Canvas:
    """Dots on a grid of `width` by `height` cells; a cell takes the pen of the last dot set in it."""

    def __init__(self, width: int, height: int, ascii_only: bool = False) -> None:
        self.width = width
        self.height = height
        self.across, self.down = (1, 1) if ascii_only else (2, 4)
        self.ascii_only = ascii_only
        self._bits = [[0] * width for _ in range(height)]
        self._pens: list[list[int | None]] = [[None] * width for _ in range(height)]
        self._marks: dict[tuple[int, int], str] = {}

    @property
    def dots_wide(self) -> int:
        return self.width * self.across

    @property
    def dots_high(self) -> int:
        return self.height * self.down

    def dot(self, x: int, y: int, pen: int) -> None:
        """Set one dot; (0, 0) is the top left. Dots outside are left out."""
        if not (0 <= x < self.dots_wide and 0 <= y < self.dots_high):
            return
        column, row = x // self.across, y // self.down
        self._bits[row][column] |= 1 if self.ascii_only else BITS[y % 4][x % 2]
        self._pens[row][column] = pen

    def line(self, x0: int, y0: int, x1: int, y1: int, pen: int, every: int = 1) -> None:
        """A straight line from dot to dot, both ends set; `every` greater than 1 leaves gaps."""
        length = max(abs(x1 - x0), abs(y1 - y0))
        for index in range(length + 1):
            if index % every == 0:
                share = index / length if length else 0.0
                self.dot(round(x0 + (x1 - x0) * share), round(y0 + (y1 - y0) * share), pen)

    def mark(self, x: int, y: int, character: str, pen: int) -> None:
        """Put a character over the cell that holds the dot (x, y)."""
        if 0 <= x < self.dots_wide and 0 <= y < self.dots_high:
            column, row = x // self.across, y // self.down
            self._marks[row, column] = character
            self._pens[row][column] = pen

    def row(self, row: int, ascii_characters: Sequence[str] = "*") -> list[Cell]:
        """The cells of one row; in ASCII the dots of pen n are `ascii_characters[n]`."""
        cells: list[Cell] = []
        for column in range(self.width):
            pen = self._pens[row][column]
            bits = self._bits[row][column]
            if (row, column) in self._marks:
                cells.append((self._marks[row, column], pen))
            elif not bits or pen is None:
                cells.append((" ", None))
            elif self.ascii_only:
                cells.append((ascii_characters[pen % len(ascii_characters)], pen))
            else:
                cells.append((chr(BRAILLE + bits), pen))
        return cells
