"""The method pane itself."""

from __future__ import annotations

from typing import Any

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.reactive import reactive

from workbench.app.actions import bindings_for
from workbench.app.counting import COUNTING
from workbench.app.glyphs import glyphs
from workbench.app.messages import RecipeEdited, Told
from workbench.app.panes.method.about import about, facts, misfit
from workbench.app.panes.method.kinds import KindsOfPeft
from workbench.app.panes.method.methods import MethodList, default_figures, needs_a_knob
from workbench.app.panes.method.targets_screen import TargetsScreen
from workbench.app.panes.method.trainable import trainable
from workbench.app.widgets.drawn import Drawn
from workbench.app.widgets.knob_form import KnobForm
from workbench.app.widgets.knob_row import HELP, KnobRow, room_for_help
from workbench.app.widgets.meaning import Meaning
from workbench.app.words import visible, written
from workbench.core.knobs import Knob, knobs_of
from workbench.core.memory.estimate import Estimate
from workbench.core.methods.counted import is_counted
from workbench.core.methods.targets import PRESETS
from workbench.core.models.skeleton import Skeleton
from workbench.core.recipe import Recipe, TrainingSection

USED = (
    "learning_rate", "steps", "epochs", "micro_batch", "effective_batch", "precision", "gradient_checkpointing",
    "optimizer",
)  # fmt: skip
"""The training knobs that are reached for most; the others open with a key."""


class MethodPane(Vertical):
    """How the weights are trained."""

    BINDINGS = bindings_for("method")
    HELP = (
        "Choose a method, then its knobs. The count of trainable parameters and the memory estimate move as you do. "
        "A value that cannot be is refused with a sentence, and the old one stays."
    )
    DEFAULT_CSS = """
    MethodPane #method-scroll { height: 1fr; scrollbar-gutter: stable; }
    MethodPane #about { margin: 1 0; }
    MethodPane #refusal { margin-bottom: 1; display: none; }
    MethodPane #facts { margin-bottom: 1; }
    MethodPane #method-knobs { height: auto; margin-bottom: 1; }
    MethodPane #trainable { border-top: $edge $edge-blurred; }
    MethodPane.-low #about { margin: 0; }
    """

    recipe: reactive[Recipe] = reactive(Recipe, init=False, repaint=False)
    skeleton: reactive[Skeleton | None] = reactive(None, init=False, repaint=False)
    model_note: reactive[str] = reactive("", init=False, repaint=False)
    estimate: reactive[Estimate | None] = reactive(None, init=False, repaint=False)
    estimate_note: reactive[str] = reactive("", init=False, repaint=False)

    def __init__(self) -> None:
        super().__init__()
        self.methods = MethodList()
        self.about, self.refusal, self.facts = Drawn(id="about"), Drawn(id="refusal"), Drawn(id="facts")
        self.method_heading = Drawn(classes="heading")
        self.method_knobs = Vertical(id="method-knobs")
        self.meaning = Meaning()
        self.trainable = Drawn(id="trainable")
        self.kinds = KindsOfPeft(self, self._kinds_changed)

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="method-scroll", can_focus=False):
            yield self.methods
            yield self.about
            yield self.refusal
            yield self.method_heading
            with self.method_knobs:
                knobs = self._method_knobs()
                if knobs:
                    yield self._method_form(knobs)
            yield self.facts
            yield Drawn(lambda _: Content("Training"), classes="heading")
            yield KnobForm(_training(USED), self.recipe, id="training-knobs")
        yield self.meaning
        yield self.trainable

    def on_mount(self) -> None:
        self.kinds.follow(self.recipe.method)
        self._show_forms()
        self._show()

    def focus_first(self) -> None:
        self.methods.focus()

    # what comes down

    async def watch_recipe(self, before: Recipe, now: Recipe) -> None:
        if self.is_mounted:
            other = self.kinds.follow(now.method)
            if other or before.method.name != now.method.name:
                await self._change_form()
            if ("targets" in before.method.knobs) != ("targets" in now.method.knobs):
                self.refresh_bindings()
        self._show_forms()
        self._show()

    async def watch_skeleton(self) -> None:
        if self.is_mounted:
            await self._change_form()
            self._show_forms()
        self._show()

    def _show_forms(self) -> None:
        """The recipe's values, and the defaults that this model gives."""
        for form in self.query(KnobForm):
            form.skeleton = self.skeleton
            form.show(self.recipe)

    def watch_model_note(self) -> None:
        self._show()

    def watch_estimate(self) -> None:
        """A count that was waited for has come."""
        if self.recipe.method.name == "peft":
            self._show()

    def watch_estimate_note(self) -> None:
        self.watch_estimate()

    async def _kinds_changed(self) -> None:
        """PEFT's kinds are known now, or are not to be had."""
        if self.is_mounted:
            await self._change_form()
            self._show_forms()
            self._show()

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.height < 24, "-low")
        self.meaning.display = room_for_help(event.size.width) < HELP
        self._show()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        self.meaning.show_for(event.widget, self.size.width)

    async def _change_form(self) -> None:
        """The form of the chosen method, or of a model with other layers to name; the focus stays on its knob."""
        focused = self.app.focused
        left = next((row.key for row in self.method_knobs.query(KnobRow) if row.field is focused), None)
        await self.method_knobs.remove_children()
        knobs = self._method_knobs()
        if knobs:
            form = self._method_form(knobs)
            await self.method_knobs.mount(form)
            if left in form.rows:
                form.rows[left].field.focus()

    def _method_knobs(self) -> dict[str, Knob]:
        knobs = {f"method.{name}": knob for name, knob in knobs_of(self.recipe.method.facts.knobs).items()}
        settings = self.kinds.knobs
        if settings:
            del knobs["method.settings"]
            knobs |= {f"method.settings.{name}": knob for name, knob in settings.items()}
        return knobs

    def _method_form(self, knobs: dict[str, Knob]) -> KnobForm:
        names = [] if self.skeleton is None else dict.fromkeys(module.leaf for module in self.skeleton.linear_layers)
        suggestions = {"method.targets": [*PRESETS, *names], "method.kind": self.kinds.names}
        return KnobForm(knobs, self.recipe, self._reason_against, suggestions)

    def _reason_against(self, recipe: Recipe) -> str | None:
        """Why this model does not take these knobs."""
        if self.skeleton is None or not is_counted(recipe.method, self.skeleton):
            return None
        return recipe.method.facts.reason_against(self.skeleton, recipe.method.knobs)

    def _show(self) -> None:
        recipe, skeleton = self.recipe, self.skeleton
        method = recipe.method.facts
        self.methods.styles.max_height = max(3, self.size.height // 5 + 1)
        self.methods.show(recipe.method, skeleton)
        low = self.has_class("-low")
        self.about.show(about(method, low))
        self.facts.show(facts(recipe, skeleton, low))
        heading = f"Knobs of {method.title}" if self._method_knobs() else f"{method.title} has no knobs of its own"
        if self.kinds.busy:
            heading = f"{heading} {glyphs().dot} {glyphs().running} asking PEFT for its kinds"
        elif self.kinds.chosen is not None:
            heading = f"Knobs of {visible(self.kinds.chosen.name)}, as PEFT has them"
        self.method_heading.show(heading)
        room = max(1, min(7, self.size.height // 4 - 1))
        self.trainable.show(lambda width: trainable(recipe, skeleton, room, width))
        wrong = self._reason_against(recipe) or (self.model_note if skeleton is None else "") or self.kinds.problem
        busy = skeleton is not None and not is_counted(recipe.method, skeleton)
        note = self.estimate_note if busy else ""
        mark = f"{glyphs().running} " if note == COUNTING else ""
        style = "$text-warning" if needs_a_knob(wrong) else "$text-error"
        said = Content.styled(written(visible(wrong)), style) if wrong else Content(mark + visible(note))
        self.refusal.show(said)
        self.refusal.display = bool(wrong or note)

    # what the person does

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """A method without targets has none to pick."""
        return action != "targets" or "targets" in self.recipe.method.knobs

    def on_method_list_chosen(self, event: MethodList.Chosen) -> None:
        event.stop()
        if event.name == self.recipe.method.name:
            return
        _, reason = default_figures(event.name, self.skeleton) if self.skeleton is not None else ("", "")
        if misfit(reason):
            self.post_message(Told(reason, "warning"))
        else:
            self.post_message(RecipeEdited({"method.name": event.name}))

    def action_targets(self) -> None:
        """Pick the matrices that are reached from the model's own modules."""
        if "targets" not in self.recipe.method.knobs:
            self.post_message(Told(f"{self.recipe.method.facts.title} has no targets to pick."))
        elif self.skeleton is None:
            self.post_message(Told("The model's modules have not been read yet."))
        else:
            self.app.push_screen(TargetsScreen(self.recipe, self.skeleton), self._picked)

    def _picked(self, settings: dict[str, Any] | None) -> None:
        if settings is not None:
            self.post_message(RecipeEdited(settings))

    async def action_more(self) -> None:
        """Show the less used training knobs, or hide them again."""
        shown = self.query("#more-knobs")
        if shown:
            await shown.remove()
            return
        more = KnobForm(_training_rest(), self.recipe, id="more-knobs")
        more.skeleton = self.skeleton
        await self.query_one("#method-scroll").mount(more)
        next(iter(more.rows.values())).field.focus()

    def action_defaults(self) -> None:
        """Every knob of the method and of training as it was in the beginning."""
        method = {f"method.{name}": knob.default for name, knob in knobs_of(self.recipe.method.facts.knobs).items()}
        training = {f"training.{name}": knob.default for name, knob in knobs_of(TrainingSection).items()}
        self.post_message(RecipeEdited({**method, **training}))


def _training(names: tuple[str, ...]) -> dict[str, Knob]:
    every = knobs_of(TrainingSection)
    return {f"training.{name}": every[name] for name in names}


def _training_rest() -> dict[str, Knob]:
    return {f"training.{name}": knob for name, knob in knobs_of(TrainingSection).items() if name not in USED}
