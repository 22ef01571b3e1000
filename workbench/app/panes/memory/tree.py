"""Every parameter of the model as a tree: kinds of modules, and below each its modules, with bars."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from workbench.app.glyphs import glyphs
from workbench.app.words import clipped, visible
from workbench.core.memory.parameters import Branch
from workbench.core.words import count_text, share_text


class ParameterTree(OptionList):
    """Kinds of modules; Enter opens one, Left closes it."""

    HELP = (
        "Every parameter by kind of module, and below each kind by layer. The bright part of a bar is trained, the "
        "pale part is frozen; anything trained is seen. Enter or Right opens a kind, Left closes it."
    )
    DEFAULT_CSS = """
    ParameterTree { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "select", "Open", key_display="Enter"),
        Binding("right", "open(True)", "Open", show=False),
        Binding("left", "open(False)", "Close", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(id="parameters")
        self._kinds: tuple[Branch, ...] = ()
        self._opened: set[str] = set()
        self._shown: list[tuple[Branch, Branch | None]] = []
        """The branch on each line, and of a module the kind that it stands under."""

    def show(self, kinds: tuple[Branch, ...]) -> None:
        """Show this tree; kinds that are open stay open."""
        if kinds != self._kinds:
            self._kinds = kinds
            self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        width = max(30, self.scrollable_content_region.width)
        self._shown = []
        for kind in self._kinds:
            self._shown.append((kind, None))
            if kind.name in self._opened:
                self._shown += [(module, kind) for module in kind.modules]
        largest = max((kind.parameters for kind in self._kinds), default=1) or 1
        names = max((cell_len(_title(*shown)) for shown in self._shown), default=0)
        names = min(names, width // 3)
        lines = [
            _line(branch, kind, kind is None and branch.name in self._opened, largest, names, width)
            for branch, kind in self._shown
        ]
        before = [option.prompt for option in self.options]
        if len(before) == len(lines):
            for place, line in enumerate(lines):
                if line != before[place]:
                    self.replace_option_prompt_at_index(place, line)
        else:
            at = self.highlighted
            self.set_options(Option(line) for line in lines)
            self.highlighted = min(at or 0, len(lines) - 1) if lines else None

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        branch, kind = self._shown[event.option_index]
        if kind is None:
            self._set_open(branch, branch.name not in self._opened)

    def action_open(self, wanted: bool) -> None:
        """Open the lit kind, or close the one that the lit line belongs to."""
        if self.highlighted is None:
            return
        branch, kind = self._shown[self.highlighted]
        if wanted and kind is None:
            self._set_open(branch, True)
        elif not wanted:
            self._set_open(kind or branch, False)

    def _set_open(self, kind: Branch, wanted: bool) -> None:
        if wanted:
            self._opened.add(kind.name)
        else:
            self._opened.discard(kind.name)
        self._draw()
        self.highlighted = next(place for place, (branch, _) in enumerate(self._shown) if branch is kind)


def _title(branch: Branch, kind: Branch | None) -> str:
    if kind is not None:
        return f"    {visible(branch.name)}" if branch.layer is None else f"    layer {branch.layer}"
    many = len(branch.modules)
    return f"  {visible(branch.name)}" + (f" {glyphs().times}{many}" if many > 1 else "")


def _line(branch: Branch, kind: Branch | None, is_open: bool, largest: int, names: int, width: int) -> Content:
    marks = glyphs()
    title = _title(branch, kind)
    if kind is None:
        title = (marks.opened if is_open else marks.closed) + title[1:]
    title = clipped(title, names)
    every = f"{count_text(branch.parameters):>15}"
    trained = f"{count_text(branch.trained) if branch.trained else 'frozen':>14}"
    share = f"{share_text(branch.trained / branch.parameters) if branch.trained else '':>7}"
    room = max(6, width - names - 15 - 14 - 7 - 3)
    whole = max(1, round(branch.parameters / largest * room))
    bright = min(whole, max(1, round(branch.trained / largest * room))) if branch.trained else 0
    style = "bold" if kind is None else "$quiet"
    return Content.assemble(
        (title + " " * (names - cell_len(title)), style),
        every,
        (trained, "$text-primary" if branch.trained else "$quiet"),
        (share, "$quiet"),
        "  ",
        (marks.line * bright, "$primary"),
        (marks.thin * (whole - bright), "$quiet"),
    )


def tree_heading(kinds: tuple[Branch, ...], added: bool, width: int) -> Content:
    """What the whole tree comes to."""
    every, trained = sum(kind.parameters for kind in kinds), sum(kind.trained for kind in kinds)
    frozen = every - trained
    share = share_text(trained / every) if every else ""
    words = f"{count_text(every)} parameters: {count_text(trained)} trained ({share}), {count_text(frozen)} frozen."
    how = " What is trained is added to the base." if added else " What is trained is the base's own."
    said = words + how if cell_len(words + how) <= width else words
    return Content.styled(said, "bold")
