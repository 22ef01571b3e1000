"""The knobs that memory hangs on most, as sliders: every figure of the pane follows while one is moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from rich.cells import cell_len
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from workbench.app.glyphs import glyphs
from workbench.app.widgets.stepping import is_number, next_value
from workbench.app.widgets.values import value_text
from workbench.app.words import clipped
from workbench.core.knobs import Knob, knobs_of
from workbench.core.memory.limits import Limits
from workbench.core.models.skeleton import Skeleton
from workbench.core.recipe import DataSection, Recipe, TrainingSection
from workbench.core.words import count_text

TITLES = {
    "training.micro_batch": "rows at once",
    "data.max_length": "longest row",
    "training.gradient_checkpointing": "recompute",
}
"""Names that say more than the key."""

MEANINGS = {"training.gradient_checkpointing": "to keep fewer activations"}
"""What a switch does, where there is room to say it."""

OWN = ("rank", "start_rank", "reduction", "virtual_tokens", "length", "block_size")
"""Knobs of methods that set how much is trained; a method has at most one slider, for the first of them it has."""

NAME = 15
VALUE = 9
NOTE = 22

MOST = {"training.micro_batch": 256, "data.max_length": 131_072}
"""Ends of sliders, where neither the model nor the recipe says otherwise."""


@dataclass(frozen=True, slots=True)
class Slider:
    """A knob with the values that it is moved through."""

    key: str
    knob: Knob
    stops: tuple[Any, ...]
    value: Any
    most: int | None = None
    """The largest value that fits; None where that is not known."""
    none_fits: bool = False

    @property
    def at(self) -> int:
        """The stop that the value is at, or the last one below it."""
        return max((place for place, stop in enumerate(self.stops) if stop <= self.value), default=0)

    @property
    def is_switch(self) -> bool:
        return isinstance(self.value, bool)

    @property
    def title(self) -> str:
        return TITLES.get(self.key, self.knob.name.replace("_", " "))


def sliders_of(recipe: Recipe, skeleton: Skeleton | None, limits: Limits | None) -> tuple[Slider, ...]:
    """The sliders of a recipe: rows at once, the longest row, the method's size, and recomputing activations."""
    training, data = knobs_of(TrainingSection), knobs_of(DataSection)
    places = skeleton.max_positions if skeleton and skeleton.max_positions else MOST["data.max_length"]
    batch, length = recipe.training.micro_batch, recipe.data.max_length
    rows, tokens = (limits.micro_batch, limits.max_length) if limits else (None, None)
    found = [
        Slider(
            "training.micro_batch", training["micro_batch"],
            _powers(1, MOST["training.micro_batch"], batch), batch, rows, limits is not None and rows is None,
        ),
        Slider(
            "data.max_length", data["max_length"], _powers(8, min(places, MOST["data.max_length"]), length), length,
            tokens, limits is not None and tokens is None,
        ),
    ]  # fmt: skip
    knobs = knobs_of(recipe.method.facts.knobs)
    own = next((name for name in OWN if name in knobs and is_number(knobs[name])), None)
    if own is not None and recipe.method.knobs[own] is not None:
        value = recipe.method.knobs[own]
        high = min(knobs[own].high or 256, max(256, value))
        found.append(Slider(f"method.{own}", knobs[own], _powers(int(knobs[own].low or 1), int(high), value), value))
    checkpointing = recipe.training.gradient_checkpointing
    key = "training.gradient_checkpointing"
    found.append(Slider(key, training["gradient_checkpointing"], (False, True), checkpointing))
    return tuple(found)


def _powers(low: int, high: int, value: float) -> tuple[Any, ...]:
    """Powers of two from `low` up to `high`, and the value itself among them."""
    stops = {2**power for power in range(21) if low <= 2**power <= high} | {value}
    return tuple(sorted(stops))


class Sliders(Widget, can_focus=True):
    """Some sliders, one line each; where the pane is low, only the lit one."""

    ALLOW_SELECT = False
    HELP = (
        "Up and Down choose a slider, Left and Right (or - and +) move it, Home and End take it to its ends; a click "
        "or a pull of the mouse does too. Space turns a switch. The thin part of a track does not fit on this device. "
        "All figures follow at once; u takes a move back."
    )
    DEFAULT_CSS = """
    Sliders { height: auto; width: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,minus", "move(-1)", "Less", key_display="Left"),
        Binding("right,plus", "move(1)", "More", key_display="Right"),
        Binding("up", "choose(-1)", "Slider before", show=False),
        Binding("down", "choose(1)", "Next slider", show=False),
        Binding("home", "move(-99)", "Least", show=False),
        Binding("end", "move(99)", "Most", show=False),
        Binding("enter,space", "turn", "Turn", show=False),
    ]

    lit: reactive[int] = reactive(0)
    """The slider that the keys move."""
    low: reactive[bool] = reactive(False, layout=True)

    class Moved(Message):
        """The person moved a slider."""

        def __init__(self, settings: dict[str, Any]) -> None:
            super().__init__()
            self.settings = settings

    def __init__(self) -> None:
        super().__init__(id="sliders")
        self.sliders: tuple[Slider, ...] = ()
        self._recipe = Recipe()
        self._dragged: int | None = None

    def show(self, recipe: Recipe, skeleton: Skeleton | None, limits: Limits | None) -> None:
        """Show this recipe's values against these limits."""
        found = sliders_of(recipe, skeleton, limits)
        self._recipe = recipe
        if found != self.sliders:
            grown = len(found) != len(self.sliders)
            self.sliders = found
            self.lit = min(self.lit, len(found) - 1)
            self.refresh(layout=grown)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        return min(1, len(self.sliders)) if self.low else len(self.sliders)

    def render(self) -> Content:
        width = self.content_size.width
        shown = [self.lit] if self.low else range(len(self.sliders))
        return Content("\n").join(self._line(place, width) for place in shown if place < len(self.sliders))

    def _line(self, place: int, width: int) -> Content:
        slider = self.sliders[place]
        lit = self.has_focus and place == self.lit
        marks = glyphs()
        room, noted = _track(width)
        number = f"{place + 1} of {len(self.sliders)}: Up, Down" if self.low else ""
        note = (number if self.low else _note(slider)) if noted else ""
        pointer = f"{marks.pointer} " if lit else "  "
        name = (f"{pointer}{slider.title}".ljust(NAME)[:NAME], "bold $primary" if lit else "")
        end = (f"  {note}".ljust(NOTE)[:NOTE] if noted else "", "$quiet")
        if slider.is_switch:
            box = (f"[{marks.tick if slider.value else ' '}]", "bold $text-accent" if lit else "bold $primary")
            words = clipped(f" {MEANINGS.get(slider.key, '')}", room - 3)
            value = ("on" if slider.value else "off").rjust(room - 3 - cell_len(words) + VALUE)
            return Content.assemble(name, " ", box, (words, "$quiet"), (value, "bold"), end)
        count = len(slider.stops)
        at = _cell(slider.at, count, room)
        fitting = room if slider.most is None and not slider.none_fits else _fitting(slider, room)
        track: list[tuple[str, str]] = []
        for cell in range(room):
            inside = cell < fitting
            if cell == at:
                track.append((marks.running, "bold $text-accent" if lit else "bold $primary"))
            elif cell < at:
                track.append((marks.line, ("$primary" if inside else "$text-error")))
            else:
                track.append((marks.thin, "$edge-blurred" if inside else "$text-error"))
        value = count_text(slider.value) if isinstance(slider.value, int) else value_text(slider.value)
        return Content.assemble(name, " ", *track, (f"{value:>{VALUE}}", "bold"), end)

    # what the person does

    def action_choose(self, by: int) -> None:
        """Another slider; beyond the last the focus goes on."""
        to = self.lit + by
        if 0 <= to < len(self.sliders):
            self.lit = to
        elif by > 0:
            self.screen.focus_next()
        else:
            self.screen.focus_previous()

    def action_move(self, by: int) -> None:
        if not self.sliders:
            return
        slider = self.sliders[self.lit]
        count = len(slider.stops)
        to = max(0, min(count - 1, slider.at + by))
        between = slider.stops[slider.at] != slider.value
        value = slider.stops[slider.at if between and by == -1 else to]
        if value == slider.value and abs(by) == 1 and not slider.is_switch:
            value = next_value(slider.knob, slider.value, by > 0)  # beyond the end of the track
        self._set(slider, value)

    def action_turn(self) -> None:
        slider = self.sliders[self.lit]
        if slider.is_switch:
            self._set(slider, not slider.value)

    def _set(self, slider: Slider, value: Any) -> None:
        if value == slider.value:
            return
        settings = {slider.key: value}
        effective = self._recipe.training.effective_batch
        if slider.key == "training.micro_batch" and effective % value:
            settings["training.effective_batch"] = max(value, effective // value * value)
        self.post_message(self.Moved(settings))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        place = self.lit if self.low else int(event.y)
        if 0 <= place < len(self.sliders):
            self.focus()
            self.lit = place
            if self.sliders[place].is_switch:
                self.action_turn()
                return
            self._dragged = place
            self.capture_mouse()
            self._to_mouse(event)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._dragged is not None:
            self._to_mouse(event)

    def on_mouse_up(self) -> None:
        self.release_mouse()
        self._dragged = None

    def _to_mouse(self, event: events.MouseEvent) -> None:
        if self._dragged is None or self._dragged >= len(self.sliders):
            return
        slider = self.sliders[self._dragged]
        room, _ = _track(self.content_size.width)
        cell = int(event.x) - NAME - 1
        if -2 <= cell <= room + 2:
            count = len(slider.stops)
            nearest = min(range(count), key=lambda stop: abs(_cell(stop, count, room) - cell))
            self._set(slider, slider.stops[nearest])


def _track(width: int) -> tuple[int, bool]:
    """Cells of the track, and whether a note stands behind it."""
    noted = width >= NAME + VALUE + NOTE + 20
    return max(6, width - NAME - 1 - VALUE - (NOTE if noted else 0)), noted


def _cell(stop: int, count: int, room: int) -> int:
    return round(stop / max(1, count - 1) * (room - 1))


def _fitting(slider: Slider, room: int) -> int:
    """Cells of the track up to which the run fits."""
    if slider.most is None:
        return 0
    within = [place for place, stop in enumerate(slider.stops) if stop <= slider.most]
    if len(within) == len(slider.stops):
        return room
    return _cell(within[-1], len(slider.stops), room) + 1 if within else 0


def _note(slider: Slider) -> str:
    if slider.none_fits:
        return "none fits"
    if slider.most is not None:
        return f"room for {count_text(slider.most)}"
    return "about a third slower" if slider.value is True and "checkpointing" in slider.key else ""
