"""The form of the data pane: model, source, and how rows become tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message

from workbench.app.deferred import deferred
from workbench.app.glyphs import glyphs
from workbench.app.messages import RecipeEdited, Told
from workbench.app.reading import sentence_of
from workbench.app.recipe_desk import RecipeDesk
from workbench.app.sources import source_settings
from workbench.app.widgets.drawn import Drawn
from workbench.app.widgets.fields import ChoiceField, FieldEdited, FieldLeft, TextField
from workbench.app.widgets.knob_form import KnobForm
from workbench.app.widgets.meaning import Meaning
from workbench.app.words import visible
from workbench.core.data.files.hub import check_source
from workbench.core.data.files.sources import sample_names
from workbench.core.data.templates.built_in import BUILT_IN
from workbench.core.errors import UserError
from workbench.core.knobs import Knob, knobs_of
from workbench.core.models.locate import locate_model
from workbench.core.recipe import DataSection, ModelSection, Recipe

OWN = "own data"
"""What the choice of samples shows where the source is none of them."""

TEMPLATES = ("auto", "own", *BUILT_IN)

HELD_OUT_BY = ("random", "clusters")

ABOUT_TEMPLATE = ("foreign_template", "no_template", "dropped_turn", "no_end_token", "bos_twice")
"""Findings that another template may mend."""

KNOBS: dict[str, Knob] = {
    "model.path": knobs_of(ModelSection)["path"],
    **{f"data.{name}": knob for name, knob in knobs_of(DataSection).items()},
}


class SetUp(Vertical):
    """What goes into the run."""

    class TemplatesWanted(Message):
        """The person wants to see a row in every template."""

    HELP = "Which model and which data, and how a row becomes tokens. A path counts when you press Enter."
    DEFAULT_CSS = """
    SetUp { height: 1fr; }
    SetUp #read-as { margin-bottom: 1; }
    SetUp #set-up-fields { height: 1fr; }
    SetUp .sample { height: 1; }
    SetUp .sample Drawn { width: 24; }
    SetUp .sample ChoiceField { width: 18; }
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(id="set-up")
        self.recipe = recipe
        names = sample_names()
        self.sample = ChoiceField(
            "data.source", KNOBS["data.source"], names, lambda value: value if value in names else OWN
        )
        self.meaning = Meaning()
        self.read_as = Drawn(id="read-as")
        self._offered: tuple[str | None, ...] = ()
        """The source, revision and subset whose choices are offered."""
        suggestions = {
            "data.source": names,
            "data.template": TEMPLATES,
            "data.held_out_by": HELD_OUT_BY,
            "model.path": ("tiny",),
        }
        self.form = KnobForm(KNOBS, recipe, self._check, suggestions, companions=_companions)
        template = self.form.rows["data.template"].field
        assert isinstance(template, TextField)
        template.opener = self._want_templates

    def _want_templates(self) -> None:
        self.post_message(self.TemplatesWanted())

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="set-up-fields", can_focus=False):
            yield self.read_as
            with Horizontal(classes="sample"):
                yield Drawn(lambda _: Content("bundled sample"))
                yield self.sample
            yield self.form
        yield self.meaning

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        self.meaning.show_for(event.widget, self.size.width)
        if event.widget in (self.form.rows["data.subset"].field, self.form.rows["data.split"].field):
            self.run_worker(deferred(self._find_choices), group="choices", exclusive=True)

    def on_mount(self) -> None:
        self.show(self.recipe)

    def show(self, recipe: Recipe) -> None:
        """Show a recipe's values."""
        self.recipe = recipe
        self.sample.show(recipe.data.source)
        self.form.show(recipe)

    def show_report(self, report: Mapping[str, Any] | None) -> None:
        """Show how the data was read, and offer its columns."""
        columns = tuple(map(str, report["columns"])) if report is not None else ()
        by = self.form.rows["data.held_out_by"].field
        if isinstance(by, TextField):
            by.suggest((*HELD_OUT_BY, *columns))
        self.read_as.show(_read_as(report) if report is not None else "")

    async def _find_choices(self) -> None:
        """Ask which subsets and splits the source has, once for each; a plain file has none."""
        assert isinstance(self.app, RecipeDesk)
        desk, data = self.app, self.recipe.data
        if self._offered == (data.source, data.revision, data.subset):
            return
        found, wrong = await sentence_of(
            lambda: desk.helper.request("data_choices", source=data.source, revision=data.revision)
        )
        if wrong:
            self.post_message(Told(wrong, "warning"))
        elif self.recipe.data == data:
            self._offered = (data.source, data.revision, data.subset)
            self.show_choices(found["subsets"])

    def show_choices(self, subsets: Mapping[str, Sequence[str]]) -> None:
        """Offer the subsets, and the splits of the chosen one (else of the first)."""
        chosen = self.recipe.data.subset if self.recipe.data.subset in subsets else next(iter(subsets), "")
        for key, names in (("data.subset", list(subsets)), ("data.split", subsets.get(str(chosen), []))):
            field = self.form.rows[key].field
            if isinstance(field, TextField):
                field.suggest(list(map(str, names)))
                self.form.rows[key].refresh()

    def focus_first(self) -> None:
        self.sample.focus()

    def on_field_edited(self, event: FieldEdited) -> None:
        """The choice of samples; the fields of the form are checked there."""
        event.stop()
        self.post_message(RecipeEdited(source_settings(self.recipe, event.value)))

    def on_field_left(self, event: FieldLeft) -> None:
        event.stop()

    def _check(self, changed: Recipe) -> str | None:
        """What is wrong with a path that was typed."""
        try:
            if changed.model.path != self.recipe.model.path:
                locate_model(changed.model.path)
            if changed.data.source != self.recipe.data.source:
                check_source(changed.data.source)
            held_out = changed.data.held_out
            if isinstance(held_out, str) and held_out != self.recipe.data.held_out:
                check_source(held_out, changed.data.source)
        except UserError as error:
            return error.sentence
        except OSError as error:
            return f"This path cannot be looked at ({error.strerror or error})."
        return None


def _read_as(report: Mapping[str, Any]) -> Content:
    """The format with its reason, the columns by role, and what may be wrong with the template."""
    pieces: list[tuple[str, str] | str] = [
        ("Read as ", "$quiet"), (str(report["format"]), "bold"), f": {visible(str(report['format_reason']))}.",
    ]  # fmt: skip
    roles = ", ".join(f"{role} = {column}" for role, column in report["mapping"].items())
    if roles:
        pieces += ["\n", visible(roles), (f" {glyphs().dot} m changes them", "$quiet")]
    pieces += ["\n", ("Template ", "$quiet"), (visible(str(report["template"])), "bold")]
    pieces.append((f" {glyphs().dot} t compares all of them", "$quiet"))
    for finding in report["findings"]:
        if finding["kind"] in ABOUT_TEMPLATE:
            pieces += ["\n", (f"{glyphs().warning} ", "$text-warning"), visible(str(finding["sentence"]))]
    return Content.assemble(*pieces)


def _companions(recipe: Recipe, event: FieldEdited) -> dict[str, object]:
    """What changes with a path."""
    if event.field.key == "data.source":
        return source_settings(recipe, str(event.value))
    if event.field.key == "model.path":
        return {"model.revision": None}
    return {}
