"""Figures and foreign text as people read them, the same in every pane, command and report."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")
"""Decimal units, as disks and drivers count."""

SPARKS = "▁▂▃▄▅▆▇█"
ASCII_SPARKS = "_.-=+*#@"

JOINERS = {"\u200c", "\u200d"}
"""Formatting characters that belong to words and pictures; every other one is shown by its number."""


def size_text(size: float | None) -> str:
    """Bytes with three figures and a decimal unit: 812 bytes, 61.2 MB, 15.6 GB; a dash where unknown."""
    if size is None:
        return "–"
    value, unit = float(size), 0
    while abs(value) >= 999.5 and unit < len(UNITS) - 1:
        value /= 1000
        unit += 1
    if unit == 0:
        return f"{value:.0f} bytes"
    return f"{value:.{0 if abs(value) >= 99.95 else 1 if abs(value) >= 9.995 else 2}f} {UNITS[unit]}"


def count_text(count: float | None) -> str:
    """A whole number with its thousands apart: 78,848; a dash where unknown."""
    return "–" if count is None else f"{count:,.0f}"


def share_text(share: float | None) -> str:
    """A share from 0 to 1 as a percentage: 6.2%, 0.013%, 100%; a dash where unknown."""
    if share is None:
        return "–"
    percent = share * 100
    if percent in (0.0, 100.0):
        return f"{percent:.0f}%"
    if percent < 0.1:
        return f"{percent:.2g}%"
    return f"{min(percent, 99.9) if share < 1 else percent:.1f}%"


def clock_text(seconds: float | None) -> str:
    """A span of time as a clock shows it: 0:09, 12:05, 3:07:00; a dash where unknown."""
    if seconds is None:
        return "–"
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def seconds_text(seconds: float | None) -> str:
    """A span of time in words: 9.4 s, 2 min 5 s, 3 h 7 min; a dash where unknown."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def loss_text(loss: float | None) -> str:
    """A loss with four figures behind the point; a dash where unknown."""
    return "–" if loss is None else f"{loss:.4f}"


def is_control(letter: str) -> bool:
    """Whether a character could act on a terminal instead of being shown: controls, bidirectional marks, their like."""
    return unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp") and letter not in JOINERS


def visible_text(text: str, keep: str = "") -> str:
    r"""Foreign text with every control character written out (\n, \t, \x1b, \u202e), but those in `keep`."""
    if text.isprintable():
        return text
    return "".join(_shown(letter) if is_control(letter) and letter not in keep else letter for letter in text)


def _shown(letter: str) -> str:
    short = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(letter)
    if short:
        return short
    number = ord(letter)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def cells(text: str) -> int:
    """Columns that a text takes on a terminal: two for wide letters, none for combining ones."""
    if text.isascii():
        return len(text)
    return sum(_width(letter) for letter in text)


def _width(letter: str) -> int:
    if unicodedata.combining(letter) or letter in JOINERS or unicodedata.category(letter) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def clip_text(text: str, width: int) -> str:
    """The text in at most `width` columns; a cut one ends in an ellipsis."""
    if cells(text) <= width:
        return text
    kept, used = [], 0
    for letter in text:
        used += _width(letter)
        if used > width - 1:
            break
        kept.append(letter)
    return "".join(kept) + "…" if width > 0 else ""


def wrap_text(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` columns, broken at spaces where it can be; its own lines stay apart."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            grown = f"{line} {word}" if line else word
            if cells(grown) <= width:
                line = grown
                continue
            if line:
                lines.append(line)
            *full, line = _cut_word(word, width)
            lines += full
        lines.append(line)
    return lines


def _cut_word(word: str, width: int) -> list[str]:
    """A word in pieces of at most `width` columns, each of at least one letter."""
    pieces = [""]
    for letter in word:
        if pieces[-1] and cells(pieces[-1] + letter) > width:
            pieces.append("")
        pieces[-1] += letter
    return pieces


def sparkline(values: Sequence[float], width: int, ascii_only: bool = False) -> str:
    """A curve of at most `width` letters, lowest value lowest; each letter is the mean of its share of the values."""
    if not values or width < 1:
        return ""
    columns = min(width, len(values))
    means = []
    for column in range(columns):
        start, end = column * len(values) // columns, (column + 1) * len(values) // columns
        means.append(sum(values[start:end]) / (end - start))
    low, high = min(means), max(means)
    letters = ASCII_SPARKS if ascii_only else SPARKS
    scale = (len(letters) - 1) / (high - low) if high > low else 0.0
    return "".join(letters[round((mean - low) * scale)] for mean in means)
