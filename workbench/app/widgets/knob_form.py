"""A form made from knobs: it shows the recipe's values, checks an edit at once, and tells the app of a sound one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from textual.app import ComposeResult
from textual.containers import Vertical

from workbench.app.messages import RecipeEdited, Told
from workbench.app.widgets.fields import FieldEdited, FieldLeft, TextField
from workbench.app.widgets.knob_row import FIELD, HELP, MARKS, NAME, KnobRow
from workbench.app.widgets.values import value_text
from workbench.core.errors import UserError
from workbench.core.knobs import Knob
from workbench.core.models.skeleton import Skeleton
from workbench.core.recipe import Recipe, change_recipe, recipe_to_mapping

Check = Callable[[Recipe], str | None]
"""Why a changed recipe is refused, or None; for what the recipe alone cannot know."""


Companions = Callable[[Recipe, FieldEdited], Mapping[str, Any]]
"""What else changes with an edit."""


class KnobForm(Vertical):
    """Fields for some knobs, all with keys of the form section.name."""

    DEFAULT_CSS = """
    KnobForm { height: auto; }
    """

    def __init__(
        self,
        knobs: Mapping[str, Knob],
        recipe: Recipe,
        check: Check | None = None,
        suggestions: Mapping[str, Sequence[str]] | None = None,
        companions: Companions | None = None,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self.rows = {key: KnobRow(key, knob, (suggestions or {}).get(key, ())) for key, knob in knobs.items()}
        self.recipe = recipe
        self.check = check
        self.skeleton: Skeleton | None = None
        """The base model, where defaults depend on it."""
        self.companions = companions or _companions

    def compose(self) -> ComposeResult:
        yield from self.rows.values()

    def on_mount(self) -> None:
        self.show(self.recipe)

    def on_resize(self) -> None:
        """Texts get what room there is, where the meaning does not stand beside them anyway."""
        room = self.size.width - NAME - MARKS
        for row in self.rows.values():
            if type(row.field) is TextField:
                row.room = FIELD if room - FIELD >= HELP else max(FIELD, min(48, room))

    def show(self, recipe: Recipe) -> None:
        """Show a recipe's values."""
        self.recipe = recipe
        values = recipe_to_mapping(recipe)
        for key, row in self.rows.items():
            value = _value_at(values, key, row.knob)
            if value is ABSENT:
                continue
            empty, start = _empty_value(key, recipe, self.skeleton)
            row.show(value, empty, start)

    def on_field_edited(self, event: FieldEdited) -> None:
        """Check the edit; keep the old value and say why where it cannot be."""
        event.stop()
        row = self.rows[event.field.key]
        settings = {event.field.key: event.value, **self.companions(self.recipe, event)}
        try:
            row.knob.check(event.value, event.field.key)
            changed = change_recipe(self.recipe, settings)
            reason = self.check(changed) if self.check else None
        except UserError as error:
            reason = error.sentence
        if reason:
            row.wrong = reason
            return
        row.wrong = ""
        self.recipe = changed
        self.post_message(RecipeEdited(settings))

    def on_field_left(self, event: FieldLeft) -> None:
        """A field that was left with a wrong value goes back to the recipe's, and says that it does."""
        event.stop()
        row = self.rows[event.field.key]
        if row.wrong:
            kept = self._value_of(event.field.key)
            row.wrong = ""
            row.field.show(kept)
            self.post_message(Told(f"{row.title} stays {value_text(kept) or 'empty'}.", "warning"))

    def _value_of(self, key: str) -> Any:
        return _value_at(recipe_to_mapping(self.recipe), key, self.rows[key].knob)


ABSENT: Any = object()
"""In place of a value that the recipe's method does not have."""


def _value_at(values: Mapping[str, Any], key: str, knob: Knob) -> Any:
    """The value of section.name, or of section.name.entry in a mapping, where the knob's default stands in."""
    section, name, *entry = key.split(".", 2)
    if name not in values[section]:
        return ABSENT
    found = values[section][name]
    return found.get(entry[0], knob.default) if entry else found


def _companions(recipe: Recipe, event: FieldEdited) -> dict[str, Any]:
    """What has to change with a step by + or -, so that the recipe stays whole: the effective batch is a multiple."""
    if not event.stepped or event.field.key != "training.micro_batch":
        return {}
    if recipe.training.effective_batch % event.value == 0:
        return {}
    return {"training.effective_batch": max(event.value, recipe.training.effective_batch // event.value * event.value)}


def _empty_value(key: str, recipe: Recipe, skeleton: Skeleton | None) -> tuple[str, float | None]:
    """What an empty field stands for, in words and as a number."""
    if key.startswith("method.settings."):
        return "as PEFT has it", None
    if key == "training.learning_rate":
        rate = recipe.method.facts.rate_on(skeleton)
        return f"{value_text(rate)} (default)", rate
    if key == "training.steps":
        return "by epochs", 100.0
    if key == "training.threads":
        return "one per core", 1.0
    if key == "model.revision":
        return "default branch", None
    return {"data.mapping": "detected", "data.first": "all", "data.filter": "all rows"}.get(key, "none"), None
