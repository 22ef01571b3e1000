"""The fields of a form, one line each: a number, a choice, a switch, a text."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.suggester import SuggestFromList
from textual.widget import Widget
from textual.widgets import Input

from workbench.app.glyphs import glyphs
from workbench.app.widgets.stepping import next_value
from workbench.app.widgets.values import choices_of, parse_value, value_text
from workbench.app.words import visible
from workbench.core.knobs import Knob


class FieldEdited(Message):
    """The person gave a field another value, not yet checked."""

    def __init__(self, field: Field, value: Any, stepped: bool = False) -> None:
        super().__init__()
        self.field = field
        self.value = value
        self.stepped = stepped
        """Whether it came by + or -, not by typing."""


class FieldLeft(Message):
    """The focus has left a field."""

    def __init__(self, field: Field) -> None:
        super().__init__()
        self.field = field


class Field(Widget):
    """What all fields have in common."""

    key: str
    """The recipe's key, such as method.rank."""
    knob: Knob

    @abstractmethod
    def show(self, value: Any) -> None:
        """Show the recipe's value, unless it is shown already."""

    @abstractmethod
    def step(self, up: bool) -> None:
        """Change to the neighbouring value."""


_MOVES: list[BindingType] = [
    Binding("up", "app.focus_previous", "Previous", show=False),
    Binding("down", "app.focus_next", "Next", show=False),
]


class TextField(Input, Field):
    """A text or a mixed value; it counts when Enter is pressed or the focus leaves."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [*_MOVES]

    def __init__(self, key: str, knob: Knob, suggestions: Sequence[str] = (), live: bool = False) -> None:
        super().__init__(compact=True)
        self.suggestions: Sequence[str] = ()
        self.suggest(suggestions)
        self.cursor_blink = False
        self.key = key
        self.knob = knob
        self.live = live
        self.opener: Callable[[], None] | None = None
        """What shows the suggestions, where it is more than a list."""
        self._kept: Any = None

    def show(self, value: Any) -> None:
        self._kept = value
        if parse_value(self.knob, self.value) != value or not self.has_focus:
            text = value_text(value)
            if text != self.value:
                with self.prevent(Input.Changed):
                    self.value = text

    def suggest(self, suggestions: Sequence[str]) -> None:
        """Offer these texts while one is typed, and in a list."""
        if tuple(suggestions) != self.suggestions:
            self.suggestions = tuple(suggestions)
            self.suggester = SuggestFromList(suggestions, case_sensitive=False) if suggestions else None

    def open_list(self) -> None:
        """List what is offered."""
        if self.opener is not None:
            self.opener()
            return
        from workbench.app.screens.choice import ChoiceScreen

        choices = list(self.suggestions)
        at = choices.index(self.value) if self.value in choices else -1

        def chosen(index: int | None) -> None:
            if index is not None:
                self.value = choices[index]
                self.commit()

        self.app.push_screen(ChoiceScreen([visible(choice) for choice in choices], at, self.region), chosen)

    def step(self, up: bool) -> None:
        """A text has no neighbours."""

    def commit(self) -> None:
        """Tell the typed value, where it is another one."""
        value = parse_value(self.knob, self.value)
        if value != self._kept:
            self.post_message(FieldEdited(self, value))

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self.live:
            self.commit()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter takes what was typed, and what is shown behind it; where nothing was, it lists what is offered."""
        event.stop()
        if self.suggestions and parse_value(self.knob, self.value) == self._kept:
            self.open_list()
        else:
            self._complete()
            self.commit()

    def _complete(self) -> None:
        """Make what was typed the offer that it begins, in the offer's own spelling; it stands there in grey."""
        typed = self.value.casefold()
        begun = [offer for offer in self.suggestions if offer.casefold().startswith(typed)] if typed else []
        if begun:
            with self.prevent(Input.Changed):
                self.value = next((offer for offer in begun if offer.casefold() == typed), begun[0])
            self.cursor_position = len(self.value)

    def on_blur(self) -> None:
        if not self.live:
            self.commit()
        self.post_message(FieldLeft(self))

    def key_escape(self, event: events.Key) -> None:
        """Take back what was typed; where nothing was, Escape goes on to the app."""
        if parse_value(self.knob, self.value) != self._kept:
            event.stop()
            with self.prevent(Input.Changed):
                self.value = value_text(self._kept)
            self.post_message(FieldLeft(self))


IN_NUMBERS = frozenset("0123456789.eE+-_")


class NumberField(TextField):
    """A number: typed, or changed by + and -; it counts at every key. Other letters stay what they are elsewhere."""

    def __init__(self, key: str, knob: Knob) -> None:
        super().__init__(key, knob, live=True)
        self.start: float | None = None
        """What an empty field stands for."""

    async def _on_key(self, event: events.Key) -> None:
        if event.character in ("+", "-") and not self._in_exponent():
            event.stop()
            event.prevent_default()
            self.step(event.character == "+")
        elif not event.is_printable or event.character in IN_NUMBERS:  # a terminal sends Escape as a character too
            await super()._on_key(event)
        else:
            event.prevent_default()

    def check_consume_key(self, key: str, character: str | None) -> bool:
        return character in IN_NUMBERS and super().check_consume_key(key, character)

    def _in_exponent(self) -> bool:
        return self.value[: self.cursor_position][-1:].lower() == "e" and self.selection.is_empty

    def step(self, up: bool) -> None:
        given = parse_value(self.knob, self.value)
        value = given if isinstance(given, (int, float)) else self._kept
        found = next_value(self.knob, value, up, self.start)
        if found != value:
            with self.prevent(Input.Changed):
                self.value = value_text(found)
            self.cursor_position = len(self.value)
            self.post_message(FieldEdited(self, found, stepped=True))


class ChoiceField(Field, can_focus=True):
    """One of several words: + and - (or the arrows) go through them, Enter lists them."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    ChoiceField { height: 1; width: 1fr; padding: 0 1; background: $panel; pointer: pointer; }
    ChoiceField:hover { background: $primary 15%; }
    ChoiceField:focus { background: $primary 30%; text-style: bold; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *_MOVES,
        Binding("plus,right", "step(True)", "Next choice", show=False),
        Binding("minus,left", "step(False)", "Previous choice", show=False),
        Binding("enter,space", "open", "Choose", key_display="Enter"),
    ]

    value: reactive[Any] = reactive(None)

    def __init__(
        self, key: str, knob: Knob, choices: Sequence[Any] = (), label: Callable[[Any], str] | None = None
    ) -> None:
        super().__init__()
        self.key = key
        self.knob = knob
        self.choices = list(choices) or choices_of(knob)
        self.label = label or value_text

    def render(self) -> Content:
        room = max(1, self.content_size.width - 2)
        text = Content(self.label(self.value)).truncate(room, ellipsis=False)
        return Content.assemble(text, " " * (room - text.cell_length), " ", (glyphs().down, "$quiet"))

    def show(self, value: Any) -> None:
        self.value = value

    def step(self, up: bool) -> None:
        try:
            at = self.choices.index(self.value)
        except ValueError:
            at = -1
        self._choose(self.choices[(at + (1 if up else -1)) % len(self.choices)])

    def action_step(self, up: bool) -> None:
        self.step(up)

    def action_open(self) -> None:
        from workbench.app.screens.choice import ChoiceScreen

        labels = [self.label(choice) for choice in self.choices]
        at = self.choices.index(self.value) if self.value in self.choices else 0

        def chosen(index: int | None) -> None:
            if index is not None:
                self._choose(self.choices[index])

        self.app.push_screen(ChoiceScreen(labels, at, self.region), chosen)

    def on_click(self) -> None:
        self.focus()
        self.action_open()

    def _choose(self, value: Any) -> None:
        if value != self.value:
            self.post_message(FieldEdited(self, value))

    def on_blur(self) -> None:
        self.post_message(FieldLeft(self))


class SwitchField(ChoiceField):
    """On or off: Space, Enter, + and - turn it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,space", "open", "Turn", key_display="Space")]

    def __init__(self, key: str, knob: Knob) -> None:
        super().__init__(key, knob, [False, True])

    def render(self) -> Content:
        if self.value:
            return Content.assemble("[", (glyphs().tick, "bold $text-success"), "] on")
        return Content("[ ] off")

    def action_open(self) -> None:
        self._choose(not self.value)

    def on_click(self) -> None:
        self.focus()
        self.action_open()
