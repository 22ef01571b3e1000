"""Changes that would save memory, each applied with one key."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from workbench.app.glyphs import glyphs
from workbench.app.widgets.top_line import VERDICTS
from workbench.core.memory.advice import Advice
from workbench.core.words import size_text


class AdviceList(OptionList):
    """Changes that would save memory; Enter applies the one that is lit."""

    HELP = (
        "Each entry is a change to the recipe that would save memory, estimated and not guessed: what it saves, what "
        "it costs, and whether the run fits then. Enter or a applies it, u takes it back."
    )
    DEFAULT_CSS = """
    AdviceList { height: 0; overflow: hidden hidden; scrollbar-size: 0 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,space", "select", "Apply", key_display="Enter", show=False)]

    def __init__(self) -> None:
        super().__init__()
        self._advice: tuple[Advice, ...] = ()
        self._fits_now = True
        self._lines_shown: list[Content] = []

    def show(self, advice: tuple[Advice, ...], fits_now: bool) -> None:
        """Show this advice; where the run does not fit now, each says whether it does then."""
        self._advice, self._fits_now = advice, fits_now
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        width = max(20, self.scrollable_content_region.width)
        lines = [advice_line(item, self._fits_now, width) for item in self._advice]
        if lines == self._lines_shown:
            return
        self._lines_shown = lines
        self.styles.height = sum(line.plain.count("\n") + 1 for line in lines)  # an automatic one costs a layout more
        at = self.highlighted
        self.set_options(Option(line) for line in lines)
        self.highlighted = min(at or 0, len(lines) - 1) if lines else None


def advice_line(advice: Advice, fits_now: bool, width: int) -> Content:
    """One piece of advice: the change and what it saves, and below it what it costs, and whether the run fits then."""
    right = f"saves {size_text(advice.memory)}"
    head = advice.change[:1].upper() + advice.change[1:]
    costs = (f"  {advice.time[:1].upper()}{advice.time[1:]}" if advice.time else "  About as fast", "$quiet")
    then: list[tuple[str, str]] = []
    if not fits_now:
        glyph, style = VERDICTS[advice.verdict]
        words = {"fits": "then it fits", "tight": "then it is tight"}.get(advice.verdict, "still does not fit")
        then = [("  ", ""), (f"{getattr(glyphs(), glyph)} {words}", style)]
    room = width - cell_len(right) - 1
    lines = [line.plain.rstrip() for line in Content(head).wrap(max(10, room))]
    first = Content.assemble(
        (lines[0], "bold"), " " * max(1, width - cell_len(lines[0]) - cell_len(right)), (right, "$text-success")
    )
    rest = [Content.styled(f"  {line}", "bold") for line in lines[1:]]
    last = Content.assemble(costs, *then)
    if last.cell_length > width and then:
        return Content("\n").join([first, *rest, Content.assemble(costs), Content.assemble(("  ", ""), then[1])])
    return Content("\n").join([first, *rest, last])
