"""One row, seen three ways: as it is in the file, as the chat template renders it, and as tokens."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.reactive import reactive

from workbench.app.glyphs import glyphs
from workbench.app.widgets.drawn import Drawn
from workbench.app.words import visible
from workbench.core.words import count_text

LONGEST = 20_000
"""Characters, and LONGEST // 4 tokens, that a view draws; a longer row says how much more there is."""

SPECIAL = re.compile(r"<\|[^|<>\n]{1,40}\|>|</?[a-z_]{1,12}>|\[/?[A-Z_]{2,12}\]")
"""What looks like a special token in a rendered conversation; it is only set apart, never obeyed."""

JOINING = "\u200c\u200d\ufe0e\ufe0f"
"""Letters without a width of their own that change their neighbours."""

Pieces = list[Content | tuple[str, str] | str]
Row = Mapping[str, Any]

TRAINED = "bold underline $text-success"
CONTEXT = "$foreground"
CUT = "strike $text-error"


class Filling(Drawn):
    """As high as the view around it at least, so that texts that fit are exchanged without a new layout."""

    def _height_of(self, content: Content, width: int) -> int:
        around = self.parent.scrollable_content_region.height if isinstance(self.parent, VerticalScroll) else 0
        return max(around, super()._height_of(content, width))


class RowView(VerticalScroll, can_focus=True):
    """A scrolling text with a title."""

    DEFAULT_CSS = """
    RowView { height: 1fr; width: 1fr; border: $edge $edge-blurred; border-title-color: $quiet; padding: 0 1; }
    RowView:focus { border: $edge $border; border-title-color: $primary; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.drawn = Filling()

    def compose(self) -> ComposeResult:
        yield self.drawn

    @abstractmethod
    def show(self, row: Row, cut_left: bool) -> None:
        """Show a row; `cut_left` says that what is too long is cut off at its beginning."""

    def clear(self) -> None:
        """Show nothing: the row under the cursor is not there yet."""
        self.draw(Content(""))

    def draw(self, content: Content) -> None:
        """Show this text, from its beginning."""
        self.drawn.show(content)
        if self.scroll_offset.y:
            self.scroll_home(animate=False)


class RawView(RowView):
    """The row as it is in the file."""

    HELP = "The row as it is in the file: every column with its value. Control characters are written out."

    def show(self, row: Row, cut_left: bool) -> None:  # noqa: ARG002
        pieces: Pieces = []
        room = LONGEST
        for name, value in row["raw"].items():
            text = visible(str(value)[:room], lines=True)
            pieces += [(visible(str(name)), "bold $primary"), "\n", text, "\n\n"]
            room -= len(text)
            if room <= 0:
                pieces.append((f"{glyphs().ellipsis} and more", "$quiet"))
                break
        self.draw(Content.assemble(*pieces))


class ConversationView(RowView):
    """The row as the chat template renders it."""

    HELP = "The row as the model reads it: rendered through the chat template. Special tokens are set apart by colour."

    def show(self, row: Row, cut_left: bool) -> None:  # noqa: ARG002
        if row["problem"] and not row["rendered"]:
            self.draw(_problem(row))
            return
        rendered = str(row["rendered"])
        text = visible(rendered[:LONGEST], lines=True)
        pieces: Pieces = []
        at = 0
        for match in SPECIAL.finditer(text):
            pieces += [text[at : match.start()], (match.group(), "$accent")]
            at = match.end()
        pieces.append(text[at:])
        if len(rendered) > LONGEST:
            pieces.append((f"\n{count_text(len(rendered) - LONGEST)} more characters", "$quiet"))
        self.draw(Content.assemble(*pieces))


class TokensView(RowView):
    """The row as tokens: trained on, context, or cut off."""

    HELP = (
        "The row's tokens. Bold and underlined ones are trained on, plain ones are context that the model reads and is "
        "not graded on, and struck ones are cut off by data.max_length. i shows the ids; a character that is made of "
        "several tokens stands there once, with all of theirs."
    )
    ids: reactive[bool] = reactive(False, init=False)

    def __init__(self) -> None:
        super().__init__()
        self._row: Row | None = None
        self._cut_left = False

    def show(self, row: Row, cut_left: bool) -> None:
        self._row, self._cut_left = row, cut_left
        self._draw()

    def clear(self) -> None:
        self._row = None
        super().clear()

    def watch_ids(self) -> None:
        self._draw()

    def _draw(self) -> None:
        row = self._row
        if row is None:
            return
        kinds = token_kinds(row, self._cut_left)
        tokens: Pieces = [_legend(kinds), "\n" if self.size.height < 8 else "\n\n"]
        if row["problem"]:
            tokens.append((f"{glyphs().warning} Left out: {visible(row['problem'])}.\n\n", "$text-error"))
        limit = LONGEST // 4
        place, waiting = 0, []
        for text, number, kind in zip(row["tokens"][:limit], row["ids"], kinds, strict=False):
            waiting.append(number)
            if text:  # a token without one is a part of the next one's character
                tokens += self._token(text, waiting, kind, place)
                place, waiting = place + 1, []
        if waiting and self.ids:
            tokens += self._token("", waiting, kinds[-1], place)
        if len(kinds) > limit:
            tokens.append((f"\n{count_text(len(kinds) - limit)} more tokens", "$quiet"))
        self.draw(Content.assemble(*tokens))

    def _token(self, text: str, numbers: list[int], kind: str, place: int) -> Pieces:
        """A token, or several that make one character, on every other ground."""
        style = {"trained": TRAINED, "context": CONTEXT, "cut": CUT}[kind]
        ground = "$panel" if place % 2 else "$surface"
        lead = len(text) - len(text.lstrip(JOINING))  # else it would join what stands in the token before
        shown = "".join(f"\\u{ord(letter):04x}" for letter in text[:lead]) + visible(text[lead:])
        end = ""
        if "\n" in text:
            mark = glyphs().newline
            body = shown.rstrip(mark)
            end = "\n" * (len(shown) - len(body)) if not self.ids else "\n"
        pieces: Pieces = [(shown, f"{style} on {ground}")]
        if self.ids:
            pieces.append((f" {'+'.join(map(str, numbers))} ", f"$quiet on {ground}"))
        if end:
            pieces.append(end)
        return pieces


def token_kinds(row: Row, cut_left: bool) -> list[str]:
    """Each token's kind: trained, context or cut."""
    count, cut = len(row["ids"]), int(row["cut"])
    first, last = (cut, count) if cut_left else (0, count - cut)
    return [
        "cut" if not first <= place < last else "trained" if trained else "context"
        for place, trained in enumerate(row["trained"])
    ]


def _legend(kinds: list[str]) -> Content:
    """The three ways a token is drawn, with how many there are."""
    styles = {"trained": TRAINED, "context": CONTEXT, "cut": CUT}
    pieces: Pieces = []
    for kind, style in styles.items():
        found = kinds.count(kind)
        if found or kind != "cut":
            pieces += ["  " if pieces else "", (kind, style), f" {count_text(found)}"]
    return Content.assemble(*pieces)


def _problem(row: Row) -> Content:
    return Content.styled(f"{glyphs().warning} Left out: {visible(str(row['problem']))}.", "$text-error")
