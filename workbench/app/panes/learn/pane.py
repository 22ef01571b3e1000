"""The learn pane: lessons on the left, the chosen one on the right, with the figures of what is open now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Markdown, OptionList
from textual.widgets.option_list import Option

from workbench.app.actions import ACTIONS, PANES, bindings_for, key_name
from workbench.core.files import read_json
from workbench.core.lessons import Lesson, fill_lesson, lesson_figures, load_lessons
from workbench.core.memory.device import Device, cpu_device
from workbench.core.models.skeleton import Skeleton, skeleton_from_json
from workbench.core.places import tiny_folder
from workbench.core.recipe import Recipe, recipe_from_mapping
from workbench.core.runs.folder import RunFolder
from workbench.core.runs.view import RunView

if TYPE_CHECKING:
    from textual.events import Hide, Resize, Show

NARROW = 84
"""Columns below which a lesson takes the place of the list."""


class LearnPane(Horizontal, can_focus=True):
    """Short lessons in plain words."""

    BINDINGS = bindings_for("learn")

    HELP = (
        "Short lessons on what happens inside. The figures in them are worked out from the model and the recipe that "
        "are open now, and from the run that is followed."
    )

    DEFAULT_CSS = """
    LearnPane {
        #lessons { width: 32; height: 1fr; margin-right: 2; }
        #lesson { width: 1fr; height: 1fr; scrollbar-size-vertical: 1; }
        #lesson MarkdownH2 { margin: 0 0 1 0; }
        #lesson Markdown { margin: 0; padding: 0 1; max-width: 92; background: transparent; }
        &.narrow #lessons { width: 1fr; margin-right: 0; }
        &.narrow #lesson { display: none; }
        &.narrow.reading #lessons { display: none; }
        &.narrow.reading #lesson { display: block; }
    }
    """

    recipe: reactive[Recipe | None] = reactive(None, repaint=False)
    skeleton: reactive[Skeleton | None] = reactive(None, repaint=False)
    device: reactive[Device | None] = reactive(None, repaint=False)
    run: reactive[RunFolder | None] = reactive(None, repaint=False)
    view: reactive[RunView | None] = reactive(None, repaint=False)

    def __init__(self, *, id: str | None = "learn") -> None:
        super().__init__(id=id)
        self._shown = True
        self._ready = False
        self._text = ""
        self._lesson: Lesson = load_lessons()[0]

    def compose(self) -> ComposeResult:
        yield OptionList(
            *(
                Option(Content(f"{number:>2}. {lesson.title}"), id=lesson.name)
                for number, lesson in enumerate(load_lessons(), 1)
            ),
            id="lessons",
        )
        with VerticalScroll(id="lesson"):
            yield Markdown("", open_links=False)

    def on_mount(self) -> None:
        self._ready = True
        self.query_one(OptionList).highlighted = 0
        self._draw()

    def focus_first(self) -> None:
        """Begin on the list, or on the lesson that is being read."""
        (self.query_one("#lesson") if self._reading_narrow else self.query_one(OptionList)).focus()

    @property
    def _reading_narrow(self) -> bool:
        return self.has_class("narrow") and self.has_class("reading")

    # what comes down

    def watch_recipe(self) -> None:
        self._draw()

    def watch_skeleton(self) -> None:
        self._draw()

    def watch_device(self) -> None:
        self._draw()

    def watch_view(self, before: RunView | None, after: RunView | None) -> None:
        if _measured(before) != _measured(after):
            self._draw()

    def on_show(self, event: Show) -> None:  # noqa: ARG002
        self._shown = True
        self._draw()
        self.call_after_refresh(self.focus_first)

    def on_hide(self, event: Hide) -> None:  # noqa: ARG002
        self._shown = False

    def on_resize(self, event: Resize) -> None:  # noqa: ARG002
        self.set_class(self.size.width < NARROW, "narrow")

    # drawing

    def _draw(self) -> None:
        """Fill the lesson with the figures of what is open now; the same text again costs nothing."""
        if not self._ready or not self._shown:
            return
        text = f"## {self._lesson.title}\n\n{fill_lesson(self._lesson.text, self._figures())}"
        if text != self._text:
            self._text = text
            self.query_one(Markdown).update(text)

    def _figures(self) -> dict[str, str]:
        recipe, skeleton = self.recipe, self.skeleton
        if recipe is None or skeleton is None:
            recipe = recipe_from_mapping({})
            skeleton = skeleton_from_json(read_json(tiny_folder() / "skeleton.json") or {})
            assert skeleton is not None
        run = self.run.name if self.run else ""
        return {**key_figures(), **lesson_figures(recipe, skeleton, self.device or cpu_device(), self.view, run)}

    # what the person does

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        self._lesson = load_lessons()[event.option_index]
        self._draw()
        self.query_one("#lesson").scroll_home(animate=False)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.add_class("reading")
        self.query_one("#lesson").focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        if action == "close_lesson":
            return self.has_class("reading")
        return True

    def action_close_lesson(self) -> None:
        """Go back to the list of lessons."""
        self.remove_class("reading")
        self.query_one(OptionList).focus()

    def action_next_lesson(self, by: int) -> None:
        """Read the next lesson, or the one before."""
        lessons = self.query_one(OptionList)
        place = (lessons.highlighted or 0) + by
        if 0 <= place < lessons.option_count:
            lessons.highlighted = place


def _measured(view: RunView | None) -> tuple[float | None, ...]:
    """What the lessons name of a run."""
    view = view or RunView()
    return view.base_loss, view.held_out_loss, view.base_score, view.score


def key_figures() -> dict[str, str]:
    """The key of every action, as the lessons name them: `key:chat:next_question`, and `key:pane:data` for a pane.

    In the chat letters are typed, so there it is a key that works all the same.
    """
    keys = {
        f"key:{place}:{action.call}": key_name(
            next((key for key in action.keys if len(key) > 1 or place != "chat"), action.keys[0])
        )
        for place, actions in ACTIONS.items()
        for action in actions
        if action.keys
    }
    return keys | {f"key:pane:{name}": str(number) for number, name in enumerate(PANES, 1)}
