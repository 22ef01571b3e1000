"""Saying by hand which column is the prompt and which the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from workbench.app.glyphs import glyphs
from workbench.app.screens.dialog import DIALOG_CSS
from workbench.app.widgets.drawn import Drawn
from workbench.app.widgets.fields import ChoiceField, FieldEdited, FieldLeft
from workbench.app.words import clipped, visible
from workbench.core.knobs import knobs_of
from workbench.core.recipe import DataSection

ROLES = {
    "prompt": "what the model is asked",
    "answer": "what it should say",
    "context": "read with the prompt",
    "system": "said before everything",
    "messages": "a whole conversation",
    "text": "plain text, nothing asked",
}
"""The roles that a column can have."""

NONE = ""


class Columns(ModalScreen[dict[str, str] | None]):
    """Gives the mapping that was chosen, empty for detection, or None."""

    DEFAULT_CSS = f"""
    Columns {{ {DIALOG_CSS} }}
    Columns .dialog {{ width: 90; }}
    Columns .role {{ height: 1; }}
    Columns .role .name {{ width: 34; height: 1; }}
    Columns .role ChoiceField {{ width: 22; }}
    Columns .role .value {{ width: 1fr; height: 1; padding-left: 1; color: $quiet; }}
    Columns #columns-why {{ margin-bottom: 1; }}
    Columns #columns-wrong {{ margin-top: 1; height: 2; }}
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Back", key_display="Esc")]
    HELP = (
        "Which column plays which role: prompt and answer, with context and system where there are any; or one column "
        "that holds a whole conversation or plain text. Beside each stands its value in the first row."
    )

    def __init__(self, columns: Mapping[str, str], mapping: Mapping[str, str], why: str) -> None:
        super().__init__()
        self.columns = dict(columns)
        """Each column with its value in the first row."""
        self.mapping = {role: column for role, column in mapping.items() if column in self.columns}
        self.why = why
        knob = knobs_of(DataSection)["mapping"]
        choices = [NONE, *self.columns]
        self.fields = {role: ChoiceField(role, knob, choices, lambda name: visible(name) or "none") for role in ROLES}
        self.values = {role: Drawn(classes="value") for role in ROLES}

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog", can_focus=False) as dialog:
            dialog.border_title = "Columns"
            yield Static(visible(self.why), markup=False, id="columns-why")
            for role, meaning in ROLES.items():
                with Horizontal(classes="role"):
                    name = Drawn(classes="name")
                    name.show(Content.assemble((f"{role:<10}", "bold"), (meaning, "$quiet")))
                    yield name
                    yield self.fields[role]
                    yield self.values[role]
            yield Drawn(id="columns-wrong")
            with Horizontal(classes="dialog-buttons"):
                yield Button("Take these", id="take", compact=True)
                yield Button("Detect them", id="detect", compact=True)
                yield Button("Back", id="back", compact=True)

    def on_mount(self) -> None:
        self._show()
        self.fields["prompt"].focus()

    def _show(self) -> None:
        for role, field in self.fields.items():
            column = self.mapping.get(role, NONE)
            field.show(column)
            self.values[role].show(_clip(self.columns.get(column, "")))
        wrong = self._wrong()
        self.query_one("#take", Button).disabled = bool(wrong)
        line = Content.styled(f"{glyphs().cross} {wrong}", "$text-error") if wrong else Content(" ")
        self.query_one("#columns-wrong", Drawn).show(line)

    def _wrong(self) -> str:
        """Why these cannot be taken."""
        taken = list(self.mapping.values())
        if len(set(taken)) < len(taken):
            return "A column cannot have two roles."
        alone = [role for role in ("messages", "text") if role in self.mapping]
        if alone:
            return f"A column of {alone[0]} stands alone; set the others to none." if len(self.mapping) > 1 else ""
        if not {"prompt", "answer"} <= set(self.mapping):
            return "Choose a column for prompt and one for answer; or one for messages, or for text."
        return ""

    def on_field_edited(self, event: FieldEdited) -> None:
        event.stop()
        self.mapping.pop(event.field.key, None)
        if event.value != NONE:
            self.mapping[event.field.key] = event.value
        self._show()

    def on_field_left(self, event: FieldLeft) -> None:
        event.stop()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.dismiss({"take": dict(self.mapping), "detect": {}}.get(str(event.button.id)))


def _clip(text: str) -> Any:
    return lambda width: Content(clipped(visible(text), width))
