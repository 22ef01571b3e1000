"""The marks on the screen: a set for UTF-8 terminals and one in plain ASCII."""

from __future__ import annotations

import locale
import os
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Glyphs:
    """Marks, each one cell wide."""

    ascii: bool
    tick: str
    cross: str
    warning: str
    running: str
    paused: str
    waiting: str
    stopped: str
    dot: str
    """Between words."""
    chosen: str
    unchosen: str
    pointer: str
    """Before the line that has the cursor."""
    full: str
    """A filled cell of a bar."""
    empty: str
    """An empty cell of a bar."""
    parts: str
    """A bar's last cell by eighths, without the full one; may be empty."""
    line: str
    """A filled cell of a thin bar."""
    half_line: str
    """The left half of one; may be empty."""
    thin: str
    """A cell of a bar that stands for what is only there."""
    opened: str
    """Before a branch of a tree that is open."""
    closed: str
    limit: str
    """A vertical line."""
    rule: str
    """A horizontal line."""
    arrow: str
    newline: str
    tab: str
    ellipsis: str
    times: str
    dash: str
    """Between the ends of a range."""
    up: str
    down: str
    border: str
    """Textual's name of the border for panels."""


UTF8 = Glyphs(
    ascii=False,
    tick="✓",
    cross="✗",
    warning="!",
    running="●",
    paused="‖",
    waiting="○",
    stopped="■",
    dot="·",
    chosen="●",
    unchosen="○",
    pointer="›",
    full="█",
    empty="·",
    parts="▏▎▍▌▋▊▉",
    line="━",
    half_line="╸",
    thin="─",
    opened="▾",
    closed="▸",
    limit="┃",
    rule="─",
    arrow="→",
    newline="↵",
    tab="⇥",
    ellipsis="…",
    times="×",
    dash="–",
    up="▲",
    down="▼",
    border="round",
)

ASCII = Glyphs(
    ascii=True,
    tick="+",
    cross="x",
    warning="!",
    running="*",
    paused="=",
    waiting="o",
    stopped="#",
    dot="|",
    chosen="*",
    unchosen="o",
    pointer=">",
    full="#",
    empty=".",
    parts="",
    line="=",
    half_line="",
    thin="-",
    opened="v",
    closed=">",
    limit="|",
    rule="-",
    arrow=">",
    newline="$",
    tab=">",
    ellipsis="~",
    times="x",
    dash="-",
    up="^",
    down="v",
    border="ascii",
)


@cache
def glyphs() -> Glyphs:
    """The set for this terminal: ASCII where WORKBENCH_ASCII is set or the locale is not UTF-8."""
    wanted = os.environ.get("WORKBENCH_ASCII", "")
    if wanted not in ("", "0"):
        return ASCII
    if wanted == "0":
        return UTF8
    return UTF8 if _encoding().replace("-", "").lower() == "utf8" else ASCII


def _encoding() -> str:
    """The encoding that the person's locale names, whatever Python makes of it."""
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        value = os.environ.get(name)
        if value:
            return value.partition(".")[2].partition("@")[0] or ("utf8" if value == "C.UTF-8" else "ascii")
    return locale.getpreferredencoding(False)
