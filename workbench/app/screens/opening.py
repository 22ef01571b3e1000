"""Choosing a model and data of one's own: two paths, checked as they are typed."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from workbench.app.glyphs import glyphs
from workbench.app.reading import missing_weights
from workbench.app.screens.dialog import DIALOG_CSS
from workbench.app.sources import source_settings
from workbench.app.words import visible
from workbench.core.errors import UserError
from workbench.core.models.locate import ModelPlace, locate_model
from workbench.core.recipe import Recipe

KINDS = {
    "bundled": "the bundled base model",
    "folder": "a model folder",
    "gguf": "a GGUF file",
    "hub": "a Hub id; it is looked up, and loaded where needed, when you open it",
}

WITHOUT_WEIGHTS = "a model folder without weights: enough for the method and the memory, not for training"


class Opening(ModalScreen[dict[str, Any] | None]):
    """Gives the recipe's settings that were chosen, or None."""

    DEFAULT_CSS = f"""
    Opening {{ {DIALOG_CSS} }}
    Opening Input.-textual-compact {{ background: $panel; padding: 0 1; }}
    Opening Input.-textual-compact:focus {{ background: $primary 30%; }}
    Opening .found {{ height: auto; margin-bottom: 1; color: $quiet; }}
    Opening .found.-wrong {{ color: $text-error; }}
    Opening .heading {{ text-style: bold; }}
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Back", key_display="Esc"),
        Binding("up", "app.focus_previous", "Previous", show=False),
        Binding("down", "app.focus_next", "Next", show=False),
    ]
    HELP = "Name a model and the data. Each is checked as you type; Enter goes on, and opens both where both are sound."

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.recipe = recipe

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog", can_focus=False) as dialog:
            dialog.border_title = "My own model and data"
            yield Static("Model: a folder, a .gguf file, a Hub id, or tiny", classes="heading", markup=False)
            yield _still(Input(self.recipe.model.path, id="model", compact=True))
            yield Static("", classes="found", id="model-found", markup=False)
            yield Static("Data: a file or a folder of pairs, or a sample's name", classes="heading", markup=False)
            yield _still(Input(self.recipe.data.source, id="data", compact=True))
            yield Static("", classes="found", id="data-found", markup=False)
            with Horizontal(classes="dialog-buttons"):
                yield Button("Open", id="open", compact=True)
                yield Button("Back", id="back", compact=True)

    def on_mount(self) -> None:
        self.query_one("#model", Input).focus()
        self._check()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._check()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if event.input.id == "model" and not self._wrong_model():
            self.query_one("#data", Input).focus()
        elif event.input.id == "data":
            self._open()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "open":
            self._open()
        else:
            self.dismiss(None)

    def _check(self) -> bool:
        """Say what each path is, or what is wrong with it; whether both can be opened."""
        model_wrong, data_wrong = self._wrong_model(), self._wrong_data()
        self._say("#model-found", model_wrong, self._model_words)
        self._say("#data-found", data_wrong, "found")
        return not (model_wrong or data_wrong)

    def _say(self, where: str, wrong: str, right: str) -> None:
        line = self.query_one(where, Static)
        line.set_class(bool(wrong), "-wrong")
        mark = glyphs().cross if wrong else glyphs().tick
        line.update(Content(f"{mark} {visible(wrong or right)}"))

    def _wrong_model(self) -> str:
        path = self.query_one("#model", Input).value.strip()
        try:
            place: ModelPlace = locate_model(path, needs_weights=False)
        except UserError as error:
            return error.sentence
        except OSError as error:
            return f"This path cannot be looked at ({error.strerror})."
        self._model_words = KINDS[place.kind] if missing_weights(path) is None else WITHOUT_WEIGHTS
        return ""

    def _wrong_data(self) -> str:
        from workbench.core.data.files.hub import check_source

        try:
            check_source(self.query_one("#data", Input).value.strip())
        except UserError as error:
            return error.sentence
        except OSError as error:
            return f"This path cannot be looked at ({error.strerror})."
        return ""

    _model_words = ""

    def _open(self) -> None:
        if not self._check():
            return
        model, data = (self.query_one(name, Input).value.strip() for name in ("#model", "#data"))
        settings: dict[str, Any] = {}
        if model != self.recipe.model.path:
            settings |= {"model.path": model, "model.revision": None}
        if data != self.recipe.data.source:
            settings |= source_settings(self.recipe, data)
        self.dismiss(settings)


def _still(field: Input) -> Input:
    """The field without a blinking cursor, which would send bytes for nothing."""
    field.cursor_blink = False
    return field
