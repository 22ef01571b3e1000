"""What the command line prints on: its width, whether it has colour, and which letters it can show."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from workbench.core.words import cells, clip_text, wrap_text

ASCII = str.maketrans("…–█░×·→⟦⟧", "~-#.x->[]")
"""Stand-ins where the output's encoding has ASCII only."""


@dataclass(frozen=True, slots=True)
class Page:
    """An output stream as a page."""

    width: int
    """Columns; 80 where it is no terminal and COLUMNS does not say otherwise."""
    height: int
    """Rows; 24 where it is no terminal."""
    colour: bool
    """Whether control sequences may be sent: a terminal that is not dumb, without NO_COLOR."""
    unicode: bool
    """Whether more than ASCII can be shown."""
    live: bool
    """Whether it is a terminal."""

    def bold(self, text: str) -> str:
        return f"\x1b[1m{text}\x1b[22m" if self.colour else text

    def dim(self, text: str) -> str:
        return f"\x1b[2m{text}\x1b[22m" if self.colour else text

    def marked(self, text: str) -> str:
        """Text marked by two brackets, and by reverse video where there is colour."""
        inner = f"\x1b[7m{text}\x1b[27m" if self.colour else text
        return f"⟦{inner}⟧"

    def bar(self, share: float, width: int) -> str:
        """A bar that fills `share` of `width` columns; anything above nothing shows at least one."""
        filled = min(width, max(round(share * width), 1 if share > 0 else 0))
        return "█" * filled + "░" * (width - filled)

    def entry(self, label: str, text: str) -> list[str]:
        """The text in lines that fit the page, the first behind `label`, the others as far in."""
        indent = " " * cells(label)
        lines = wrap_text(text, max(10, self.width - cells(label)))
        return [(label if number == 0 else indent) + line for number, line in enumerate(lines)]

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[str]], right: str = "") -> list[str]:
        """The lines of a table; `right` has an r for each column whose cells stand on the right.

        Where it is wider than the page the widest column is cut, again and again, down to eight columns.
        """
        sides = right.ljust(len(headers), "l")[: len(headers)]
        widths = [max(cells(row[index]) for row in (headers, *rows)) for index in range(len(headers))]
        while sum(widths) + 2 * (len(widths) - 1) > self.width and max(widths) > 8:
            widths[widths.index(max(widths))] -= 1
        lines = []
        for number, row in enumerate((headers, *rows)):
            parts = []
            for side, cell, width in zip(sides, row, widths, strict=True):
                text = clip_text(cell, width)
                gap = " " * (width - cells(text))
                parts.append(gap + text if side == "r" else text + gap)
            line = "  ".join(parts).rstrip()
            lines.append(self.bold(line) if number == 0 else line)
        return lines


def find_page(stream: TextIO | None = None) -> Page:
    """The page that standard output (or `stream`) is."""
    stream = stream or sys.stdout
    live = stream.isatty()
    colour = live and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    encoding = (stream.encoding or "ascii").lower().replace("-", "").replace("_", "")
    size = shutil.get_terminal_size((80, 24))
    return Page(max(20, size.columns), max(4, size.lines), colour, encoding.startswith("utf"), live)


def say(text: str = "") -> None:
    """One line on standard output, sent at once."""
    _write(sys.stdout, text)


def say_aside(text: str) -> None:
    """One line on standard error: what a person should know that is no result."""
    _write(sys.stderr, text)


def write_inline(text: str) -> None:
    """Text on standard output without a line end, sent at once."""
    _write(sys.stdout, text, end="")


def say_json(value: Any) -> None:
    """One JSON document on standard output."""
    encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
    text = json.dumps(
        _finite(value), ensure_ascii=not encoding.startswith("utf"), indent=2 if sys.stdout.isatty() else None
    )
    # A lone surrogate, from a file's name that is not UTF-8, can be written in no encoding.
    print(text.encode("utf-8", "backslashreplace").decode("utf-8"), flush=True)


def _finite(value: Any) -> Any:
    """The value with null for every number that JSON has no word for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value


def _write(stream: TextIO, text: str, end: str = "\n") -> None:
    encoding = (stream.encoding or "ascii").lower().replace("-", "")
    if not encoding.startswith("utf"):
        text = text.translate(ASCII)
    print(text, end=end, file=stream, flush=True)
