"""Foreign text and names as the panes show them; figures come from `workbench.core.words`, as in every command."""

from __future__ import annotations

import math
import re
import unicodedata
from pathlib import Path

from workbench.app.glyphs import glyphs
from workbench.core.words import cells, clip_text, visible_text

PICTURE_JOINS = re.compile("(?<=[\u2190-\u2bff\U0001f000-\U0001faff\ufe0f])\u200d|\ufe0f")
"""What joins pictures into one, and asks for a picture in place of a letter."""


def visible(text: str, *, lines: bool = False) -> str:
    """Foreign text with nothing in it that a terminal would obey: control characters are written out.

    A new line becomes a mark, and with `lines` stays a new line after its mark; a tab becomes its mark and a space. A
    picture that is joined from several is shown as those, since terminals disagree on how wide the whole is.
    """
    shown = visible_text(text, keep="\n\t")
    if not shown.isascii():
        shown = PICTURE_JOINS.sub("", shown)
    if "\n" not in shown and "\t" not in shown:
        return shown
    marks = glyphs()
    return shown.replace("\t", f"{marks.tab} ").replace("\n", marks.newline + ("\n" if lines else ""))


SIGNS = {
    "·": "*", "×": "x", "←": "<-", "→": "->", "−": "-", "–": "-", "∇": "grad ", "√": "sqrt", "∈": "in", "≤": "<=",
    "≥": ">=", "⊙": "*", "⊗": "(x)", "…": "...", "‖": "||", "∘": "o", "Δ": "d", "λ": "lambda", "≈": "~",
}  # fmt: skip
"""Signs of formulas in ASCII."""


def written(text: str) -> str:
    """Text of our own, such as a formula, with nothing but ASCII in it where the terminal takes no more."""
    if text.isascii() or not glyphs().ascii:
        return text
    return "".join(letter if letter.isascii() else _in_ascii(letter) for letter in text)


def _in_ascii(letter: str) -> str:
    if letter in SIGNS:
        return SIGNS[letter]
    name = unicodedata.name(letter, "")
    if name.startswith("GREEK"):
        return name.rpartition(" ")[2].lower()
    return unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode() or "?"


def figure(value: float, digits: int = 4) -> str:
    """A measured number with so many figures, small ones as people type them: 0.0123, 2e-4."""
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else "infinite"
    text = f"{value:.{digits}g}"
    if "e" not in text and value and abs(value) < 0.001:
        text = f"{value:.{digits - 1}e}"
    if "e" not in text:
        return text
    mantissa, _, exponent = text.partition("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{mantissa}e{int(exponent)}"


def shortened(text: str, width: int) -> str:
    """`text` in at most `width` characters, its middle left out where it is longer; ends are what tells paths apart."""
    if len(text) <= width:
        return text
    if width <= 1:
        return text[:width]
    head = (width - 1) // 2
    return text[:head] + glyphs().ellipsis + text[len(text) - (width - 1 - head) :]


def clipped(text: str, width: int) -> str:
    """`text` in at most `width` cells; a longer one ends in the terminal's own mark for more."""
    if cells(text) <= width:
        return text
    return clip_text(text, width)[:-1] + glyphs().ellipsis if width > 0 else ""


def base_name(path: str) -> str:
    """The last part of a path or a Hub id, as models and data are called in one word."""
    trimmed = path.rstrip("/\\")
    return trimmed.replace("\\", "/").rpartition("/")[2] or trimmed


def home_path(path: Path) -> str:
    """A path as people write it: what lies in their home folder begins with ~."""
    try:
        return str(Path("~") / path.relative_to(Path.home()))
    except (ValueError, RuntimeError):
        return str(path)
