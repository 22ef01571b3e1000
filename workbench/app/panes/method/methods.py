"""The list of methods, each with what it would train on this model."""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from typing import Any, ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from workbench.app.glyphs import glyphs
from workbench.app.words import clipped, written
from workbench.core.methods import METHODS, Method
from workbench.core.methods.counted import is_counted
from workbench.core.models.skeleton import Skeleton
from workbench.core.recipe import MethodSection
from workbench.core.words import count_text, share_text


class MethodList(OptionList):
    """One line a method; Enter, Space or a click chooses it."""

    HELP = "The fine-tuning methods. The figures say how many parameters each would train on this model. Enter chooses."
    DEFAULT_CSS = """
    MethodList { height: auto; max-height: 8; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,space", "select", "Choose", key_display="Enter")]

    class Chosen(Message):
        """The person chose a method."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self) -> None:
        super().__init__(id="methods")
        self._shown: tuple[MethodSection, Skeleton | None] | None = None
        self._lines_shown: list[Content] = []

    def show(self, section: MethodSection, skeleton: Skeleton | None) -> None:
        """Show what each method would train; the light goes with the method where it was chosen elsewhere."""
        before, self._shown = self._shown, (section, skeleton)
        self._draw()
        if before is not None and before[0].name != section.name:
            self.highlighted = list(METHODS).index(section.name)

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        """Draw the lines anew where they have changed."""
        if self._shown is None:
            return
        width = max(20, self.scrollable_content_region.width)
        lines = [_line(method, *self._shown, width) for method in METHODS.values()]
        if lines == self._lines_shown:
            return
        before, self._lines_shown = self._lines_shown, lines
        if not before:
            self.add_options(Option(line, id=name) for name, line in zip(METHODS, lines, strict=True))
            self.highlighted = list(METHODS).index(self._shown[0].name)
        else:
            for place, line in enumerate(lines):
                if line != before[place]:
                    self.replace_option_prompt_at_index(place, line)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if event.option_id is not None:
            self.post_message(self.Chosen(event.option_id))


def _line(method: Method, section: MethodSection, skeleton: Skeleton | None, width: int) -> Content:
    marks = glyphs()
    chosen = method.name == section.name
    mark = marks.chosen if chosen else marks.unchosen
    title = f"{mark} {written(method.title)}"
    words, style = _figures(method, section if chosen else None, skeleton)
    grey = words.startswith(marks.cross)
    words = clipped(words, max(8, width - 4 - cell_len(title)))
    room = max(1, width - 2 - cell_len(title) - cell_len(words))
    name_style = "bold $primary" if chosen else "$quiet" if grey else ""
    return Content.assemble((title, name_style), " " * room, (words, style))


def _figures(method: Method, section: MethodSection | None, skeleton: Skeleton | None) -> tuple[str, str]:
    if skeleton is None:
        return "", ""
    if section is None:
        words, _ = default_figures(method.name, skeleton)
        return words, "$quiet"
    if not is_counted(section, skeleton):
        return "counting", "$quiet"
    reason = method.reason_against(skeleton, section.knobs)
    if reason:
        return _refused(reason), "$text-error"
    count = method.count(skeleton, section.knobs)
    return f"{count_text(count.total)}  {share_text(count.share(skeleton)):>6}", ""


@lru_cache(maxsize=64)
def default_figures(name: str, skeleton: Skeleton) -> tuple[str, str]:
    """What the method trains on this model with its own defaults, in words, and why it cannot, if it cannot."""
    method = METHODS[name]
    knobs: Any = dataclasses.asdict(method.knobs())
    reason = method.reason_against(skeleton, knobs)
    if reason:
        return _refused(reason), reason
    count = method.count(skeleton, knobs)
    return f"{count_text(count.total)}  {share_text(count.share(skeleton)):>6}", ""


def needs_a_knob(reason: str) -> bool:
    """Whether a reason is about a knob that is still to be set, not about the model."""
    return "method." in reason


def _refused(reason: str) -> str:
    if needs_a_knob(reason):
        return f"needs {reason.partition('method.')[2].split(maxsplit=1)[0].strip('.,;:')}"
    return f"{glyphs().cross} does not fit: {reason}"
