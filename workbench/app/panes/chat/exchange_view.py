"""An exchange on the screen: the prompt, and the answers side by side or, where it is narrow, one under the other."""

from __future__ import annotations

from textual.content import Content

from workbench.app.charts.lines import Lines
from workbench.app.glyphs import glyphs
from workbench.app.panes.chat.exchange import DONE, FAILED, STOPPED, WAITING, Exchange, Tally
from workbench.app.words import visible
from workbench.core.words import count_text, seconds_text, share_text, visible_text

SIDE_BY_SIDE = 64
"""Columns from which the answers stand side by side."""

COLOURS = {"base": "$text-secondary", "tuned": "$text-primary"}

SHOWN_IDS = 40
"""Token ids of the prompt that are listed."""


class ExchangeView(Lines):
    """One exchange, as high as it is."""

    DEFAULT_CSS = """
    ExchangeView { height: auto; margin-bottom: 1; }
    """

    def __init__(self, exchange: Exchange, exact: bool) -> None:
        super().__init__()
        self._exchange = exchange
        self._exact = exact

    def show(self, exchange: Exchange, exact: bool) -> bool:
        """Show it as it stands, with the exact prompt or without; whether that is something new."""
        if exchange is self._exchange and exact == self._exact:
            return False
        self._exchange, self._exact = exchange, exact
        self.redraw()
        return True

    def draw(self, width: int, height: int) -> list[Content]:  # noqa: ARG002
        exchange = self._exchange
        lines = _hanging(f"{glyphs().pointer} ", exchange.prompt, width, "bold")
        about = []
        if exchange.expected is not None:
            about.append(f"expected {visible(exchange.expected)}")
        if exchange.row is not None:
            about.append(f"held-out row {exchange.row + 1}")
        if exchange.complete:
            about.append("bare text, no chat template")
        if exchange.seconds is not None:
            about.append(seconds_text(exchange.seconds))
        if about:
            lines += _wrapped("  " + f" {glyphs().dot} ".join(about), width, "$quiet")
        if self._exact:
            lines += _exact_prompt(exchange, width)
        if len(exchange.sides) > 1 and width >= SIDE_BY_SIDE:
            body = self._columns(exchange, width - 2)
        else:
            body = [line for side in exchange.sides for line in _side(exchange, side, width - 2)]
        return lines + [Content.assemble("  ", line) for line in [*body, *_verdict(exchange, width - 2)]]

    @staticmethod
    def _columns(exchange: Exchange, width: int) -> list[Content]:
        column = (width - 3) // 2
        left, right = (_side(exchange, side, column) for side in exchange.sides)
        rows = max(len(left), len(right))
        bar = (f" {glyphs().limit} ", "$edge-blurred")
        lines = []
        for row in range(rows):
            first = left[row] if row < len(left) else Content("")
            second = right[row] if row < len(right) else Content("")
            lines.append(Content.assemble(first, " " * (column - first.cell_length), bar, second))
        return lines


def _side(exchange: Exchange, side: str, width: int) -> list[Content]:
    """One side's heading and answer."""
    heading: list[tuple[str, str]] = [(side, f"bold {COLOURS.get(side, '')}".strip())]
    right = exchange.right(side)
    if right is not None:
        mark = f"{glyphs().tick} right" if right else f"{glyphs().cross} wrong"
        heading += [("  ", ""), (mark, "bold $text-success" if right else "bold $text-error")]
    if side in exchange.tokens:
        heading += [("  ", ""), (_tokens(exchange.tokens[side]), "$quiet")]
    text = exchange.texts.get(side, "")
    if exchange.state == DONE and not text.strip():
        body = [Content.styled("(it said nothing)", "$quiet italic")]
    elif exchange.state == WAITING:
        body = [Content.styled("waiting", "$quiet italic")]
    else:
        body = _wrapped(_answer(text.strip("\n")), width)
    return [Content.assemble(*heading), *body]


def _answer(text: str) -> str:
    """A model's text as shown: its own lines, every other control character written out."""
    return visible_text(text.replace("\t", "    "), keep="\n")


def _tokens(count: int) -> str:
    return "1 token" if count == 1 else f"{count_text(count)} tokens"


def _verdict(exchange: Exchange, width: int) -> list[Content]:
    parts: list[tuple[str, str]] = []
    if exchange.identical:
        parts.append(("identical: both sides wrote the same tokens", "bold $text-warning"))
    if exchange.state == STOPPED:
        parts.append(("stopped before the end, not counted", "$text-warning"))
    if exchange.state == FAILED:
        parts.append((f"{glyphs().cross} {visible(exchange.problem)}", "$text-error"))
    return list(Content.assemble(*parts).wrap(max(1, width))) if parts else []


def _exact_prompt(exchange: Exchange, width: int) -> list[Content]:
    """The very prompt that the model got, and its token ids."""
    if not exchange.ids and not exchange.rendered:
        return [Content.styled("  the exact prompt comes with the answer", "$quiet")]
    shown = " ".join(str(token) for token in exchange.ids[:SHOWN_IDS])
    more = f" and {len(exchange.ids) - SHOWN_IDS} more" if len(exchange.ids) > SHOWN_IDS else ""
    return [
        *_hanging("  ", visible(exchange.rendered, lines=True).removesuffix("\n"), width, "$text-accent"),
        *_hanging("  ", f"{_tokens(len(exchange.ids))}: {shown}{more}", width, "$quiet"),
    ]


def _hanging(mark: str, text: str, width: int, style: str) -> list[Content]:
    """Wrapped text behind a mark, further lines under the first."""
    lines = _wrapped(visible_text(text, keep="\n"), max(1, width - len(mark)), style)
    return [Content.assemble((mark if not index else " " * len(mark), style), line) for index, line in enumerate(lines)]


def _wrapped(text: str, width: int, style: str = "") -> list[Content]:
    content = Content.styled(text, style) if style else Content(text)
    return list(content.wrap(max(1, width)))


def tally_line(tally: Tally, short: bool) -> Content:
    """How often each side was right, with how many questions that is out of; empty where none was asked."""
    if not tally.asked:
        return Content("")
    rows = "1 held-out question" if tally.asked == 1 else f"{tally.asked} held-out questions"
    parts: list[tuple[str, str] | str] = [("Exact matches:" if short else f"Exact matches over {rows}:", "$quiet")]
    for side, right in tally.right.items():
        parts += [f"  {side} ", (f"{right} of {tally.asked}", "bold"), f", {share_text(right / tally.asked)}"]
    return Content.assemble(*parts)
