"""The chat pane: one prompt, the base's and the tuned model's answers, and how often each is right."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.reactive import reactive
from textual.widgets import Button, Input, Static

from workbench.app.actions import bindings_for
from workbench.app.deferred import deferred
from workbench.app.glyphs import glyphs
from workbench.app.messages import Told
from workbench.app.panes.chat.asking import ask_helper
from workbench.app.panes.chat.exchange import Exchange, count_right
from workbench.app.panes.chat.exchange_view import ExchangeView, tally_line
from workbench.app.panes.chat.heading import ChatHeading
from workbench.app.panes.chat.prompt_input import PromptInput
from workbench.app.panes.chat.questions import HeldOutQuestion, HeldOutQuestions
from workbench.app.panes.chat.settings import SamplingFields
from workbench.app.panes.chat.source import CHAT_HELP, NO_SOURCE, ChatSource, chat_source, hint_for
from workbench.app.screens.question import Question
from workbench.core.errors import RunFailedError, UserError
from workbench.core.recipe import Recipe
from workbench.core.runs.folder import RunFolder, Status
from workbench.core.words import visible_text

if TYPE_CHECKING:
    from textual.events import Hide, Resize, Show
    from textual.timer import Timer
    from textual.worker import Worker

    from workbench.core.helper import Helper

PERIOD = 0.1
"""Seconds between two redraws while text streams in."""

SHOWN = 40
"""Exchanges that are on the screen; earlier ones are kept for the tally."""

NARROW = 76
"""Columns below which labels are short."""

SHORT = 15
"""Lines below which the buttons give way to the conversation."""


class ChatPane(Vertical, can_focus=True):
    """Talk to the base and the tuned model, side by side."""

    BINDINGS = bindings_for("chat")

    HELP = CHAT_HELP

    DEFAULT_CSS = """
    ChatPane {
        #talk { height: 1fr; scrollbar-size-vertical: 1; margin-top: 1; }
        #hint { color: $quiet; margin-bottom: 1; }
        #tally { height: 1; }
        #ask { height: 1; background: $panel; }
        #ask .prompt-mark { width: 2; color: $primary; text-style: bold; }
        #sampling { margin-top: 1; }
        #chat-buttons { height: 1; margin-top: 1; }
        #chat-buttons Button { margin-right: 2; min-width: 8; width: auto; }
        &.short #chat-buttons { display: none; }
        &.short #sampling, &.short #talk { margin-top: 0; }
    }
    """

    recipe: reactive[Recipe | None] = reactive(None, repaint=False)
    run: reactive[RunFolder | None] = reactive(None, repaint=False)
    status: reactive[Status | None] = reactive(None, repaint=False)

    def __init__(self, *, id: str | None = "chat") -> None:
        super().__init__(id=id)
        self._source: ChatSource | None = None
        self._histories: dict[str, list[Exchange]] = {}
        self._questions: dict[str, HeldOutQuestions] = {}
        self._ahead = ""
        self._shown = True
        self._ready = False
        self._exact = False
        self._complete = False
        self._answering: Worker[None] | None = None
        self._loading: Worker[None] | None = None
        self._views: dict[int, ExchangeView] = {}
        self._streaming: Timer | None = None

    def compose(self) -> ComposeResult:
        yield ChatHeading(id="chat-heading")
        with VerticalScroll(id="talk"):
            yield Static("", id="hint", markup=False)
        yield Static("", id="tally", markup=False)
        with Horizontal(id="ask"):
            yield Static(glyphs().pointer, classes="prompt-mark", markup=False)
            yield PromptInput(self.recall, id="prompt")
        yield SamplingFields(id="sampling")
        with Horizontal(id="chat-buttons"):
            yield Button("Next question", id="button-next_question", compact=True)
            yield Button("Random", id="button-random_question", compact=True)
            yield Button("Exact prompt", id="button-exact_prompt", compact=True)
            yield Button("Bare text", id="button-bare_text", compact=True)
            yield Button("Stop", id="button-stop_answer", compact=True)

    def on_mount(self) -> None:
        self._streaming = self.set_interval(PERIOD, self._draw_last, pause=True)
        self._ready = True
        self._renew()

    @property
    def helper(self) -> Helper:
        """The app's helper process."""
        helper: Helper = self.app.helper  # type: ignore[attr-defined]
        return helper

    @property
    def history(self) -> list[Exchange]:
        """What was said with the present partner."""
        return self._histories.setdefault(self._source.key if self._source else "", [])

    def focus_first(self) -> None:
        """Begin where a prompt is typed."""
        prompt = self.query_one("#prompt", PromptInput)
        (self if prompt.disabled else prompt).focus()

    # what comes down

    def watch_run(self) -> None:
        self._renew()

    def watch_recipe(self) -> None:
        if self.run is None:
            self._renew()

    def watch_status(self, before: Status | None, after: Status | None) -> None:
        if (before.state if before else None) != (after.state if after else None):
            self._renew()

    def on_show(self, event: Show) -> None:  # noqa: ARG002
        self._shown = True
        self._renew()
        self.call_after_refresh(self.focus_first)

    def on_hide(self, event: Hide) -> None:  # noqa: ARG002
        self._shown = False

    def on_resize(self, event: Resize) -> None:  # noqa: ARG002
        self.set_class(self.size.width < NARROW, "narrow")
        self.set_class(self.size.height < SHORT, "short")
        self.query_one(SamplingFields).shorten(self.size.width < NARROW)
        self._draw_tally()

    def _renew(self) -> None:
        """Look whom there is to talk to; another partner ends the answer in progress and brings its own history."""
        if not self._ready:
            return
        source = chat_source(self.run, self.recipe, self.status.state if self.status else None)
        if source is None or self._source is None or source.key != self._source.key:
            self._stop()
            self._source = source
            self._rebuild()
        self._source = source
        heading = self.query_one(ChatHeading)
        heading.show_source(source.title if source else "", source.note if source else NO_SOURCE)
        self.query_one("#hint", Static).update(hint_for(source))
        self.query_one("#prompt", PromptInput).disabled = source is None
        if source is not None and self._shown and len(source.sides) > 1 and self._ahead != source.key:
            self._ahead = source.key
            load = deferred(self._load_ahead, source)
            self._loading = self.run_worker(load, group="load", exclusive=True, exit_on_error=False)

    # loading

    async def _load_ahead(self, source: ChatSource) -> None:
        """Have the helper load a run's models while the person thinks of a question."""
        heading = self.query_one(ChatHeading)
        heading.show_work("loading")
        try:
            await self.helper.request("open_chat", heading.hear, **source.arguments)
        except (UserError, RunFailedError) as error:
            self._ahead = ""
            if self._source is not None and source.key == self._source.key:
                heading.show_problem(error.sentence)
        finally:
            heading.show_work("")

    # asking

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        text = event.value
        if not text.strip() and not self._complete:
            self.action_next_question()
        if not text.strip() or not self._may_ask():
            return
        event.input.clear()
        self._ask(Exchange(text, ({"role": "user", "content": text},), self._asked_sides(), complete=self._complete))

    def _asked_sides(self) -> tuple[str, ...]:
        assert self._source is not None
        return ("base",) if self._complete else self._source.sides

    def _may_ask(self) -> bool:
        if self._source is None:
            self._tell(NO_SOURCE)
            return False
        if self._answering is not None and not self._answering.is_finished:
            self._tell("An answer is still being written; Esc stops it.")
            return False
        return True

    def _ask(self, exchange: Exchange) -> None:
        assert self._source is not None
        history = self.history
        history.append(exchange)
        self._show_exchange(len(history) - 1)
        answer = deferred(self._answer, self._source, history, len(history) - 1)
        self._answering = self.run_worker(answer, group="answer", exit_on_error=False)
        self.refresh_bindings()

    async def _answer(self, source: ChatSource, history: list[Exchange], place: int) -> None:
        """Have the helper answer; the screen follows at its own pace."""

        def keep(exchange: Exchange) -> None:
            history[place] = exchange

        heading, sampling = self.query_one(ChatHeading), self.query_one(SamplingFields).values
        assert self._streaming is not None
        self._streaming.resume()
        try:
            await ask_helper(self.helper, source, history[place], sampling, keep, heading.show_work)
        finally:
            self._streaming.pause()
            if self.is_attached:
                self._draw_last()
                self._draw_tally()

    def _stop(self) -> None:
        if self._answering is not None and not self._answering.is_finished:
            self._answering.cancel()

    # drawing

    def _rebuild(self) -> None:
        talk = self.query_one("#talk", VerticalScroll)
        talk.query(ExchangeView).remove()
        self._views.clear()
        history = self.history
        for place in range(max(0, len(history) - SHOWN), len(history)):
            self._show_exchange(place)
        self._draw_tally()
        self.query_one("#hint").display = not history

    def _show_exchange(self, place: int) -> None:
        view = ExchangeView(self.history[place], self._exact)
        self._views[place] = view
        talk = self.query_one("#talk", VerticalScroll)
        talk.mount(view)
        old = place - SHOWN
        if old in self._views:
            self._views.pop(old).remove()
        self.query_one("#hint").display = False
        talk.scroll_end(animate=False)

    def _draw_last(self) -> None:
        view = self._views.get(len(self.history) - 1)
        if view is None or not view.show(self.history[-1], self._exact):
            return
        talk = self.query_one("#talk", VerticalScroll)
        if talk.max_scroll_y - talk.scroll_y <= 1:  # whoever has scrolled up goes on reading there
            talk.scroll_end(animate=False)

    def _draw_tally(self) -> None:
        self.query_one("#tally", Static).update(tally_line(count_right(self.history), self.has_class("narrow")))

    # what the person does

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        getattr(self, f"action_{str(event.button.id).removeprefix('button-')}")()

    def on_sampling_fields_changed(self, event: SamplingFields.Changed) -> None:
        event.stop()
        self.query_one(ChatHeading).show_problem(event.problem)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        if action == "stop_answer":
            answering = self._answering is not None and not self._answering.is_finished
            return answering or self.query_one("#prompt", PromptInput).has_focus
        return True

    def action_stop_answer(self) -> None:
        """Stop the answer in progress; where there is none, leave the prompt so that letters are keys again."""
        if self._answering is not None and not self._answering.is_finished:
            self._stop()
        elif self.query_one("#prompt", PromptInput).has_focus:
            self.query_one("#talk").focus()

    def action_write(self) -> None:
        """Go to the prompt."""
        self.query_one("#prompt", PromptInput).focus()

    def action_next_question(self) -> None:
        """Ask the next held-out question."""
        self._ask_held_out(lambda questions: questions.next(self.helper))

    def action_random_question(self) -> None:
        """Ask a held-out question by chance."""
        self._ask_held_out(lambda questions: questions.random(self.helper))

    def _ask_held_out(self, choose: Callable[[HeldOutQuestions], Coroutine[Any, Any, HeldOutQuestion]]) -> None:
        if not self._may_ask():
            return
        assert self._source is not None
        source, sides = self._source, self._source.sides
        if source.recipe is None:
            self._tell("This run's recipe cannot be read, so its held-out rows are not known.")
            return
        questions = self._questions.setdefault(source.key, HeldOutQuestions(source.recipe))

        async def fetch() -> None:
            heading = self.query_one(ChatHeading)
            heading.show_work("looking up a held-out question")
            try:
                question = await choose(questions)
            except (UserError, RunFailedError) as error:
                self._tell(error.sentence)
                return
            finally:
                heading.show_work("")
            if self._source is not None and source.key == self._source.key:
                self._ask(
                    Exchange(
                        question.prompt, question.messages, sides, expected=question.answer or None, row=question.row
                    )
                )

        self._answering = self.run_worker(fetch, group="answer", exit_on_error=False)

    def action_ask_again(self) -> None:
        """Ask the last prompt again, as a held-out question where it was one."""
        if self.history and self._may_ask():
            last = self.history[-1]
            sides = ("base",) if last.complete else self._asked_sides()
            self._ask(Exchange(last.prompt, last.messages, sides, last.expected, last.row, last.complete))

    def action_exact_prompt(self) -> None:
        """Show the rendered prompt and its token ids, or hide them."""
        self._exact = not self._exact
        for place, view in self._views.items():
            view.show(self.history[place], self._exact)
        self._show_modes()

    def action_bare_text(self) -> None:
        """Let the base continue the bare text, without the chat template, or talk as usual again."""
        self._complete = not self._complete
        self.query_one("#prompt", PromptInput).say(self._complete)
        self._show_modes()

    def _show_modes(self) -> None:
        modes = ["exact prompt"] if self._exact else []
        modes += ["bare text, base only"] if self._complete else []
        self.query_one(ChatHeading).show_modes(modes)

    def action_copy_answer(self) -> None:
        """Copy the last answer, the tuned one where there is one."""
        said = [exchange for exchange in self.history if exchange.texts]
        if not said:
            self._tell("There is no answer to copy yet.")
            return
        last = said[-1]
        side = last.sides[-1] if last.texts.get(last.sides[-1]) else last.sides[0]
        self.app.copy_to_clipboard(visible_text(last.texts.get(side, ""), keep="\n\t"))
        self._tell(f"Copied what {side} said last.", "information")

    def action_clear(self) -> None:
        """Forget what was said with this partner, after a question."""
        if not self.history:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._stop()
                self.history.clear()
                self._rebuild()

        self.app.push_screen(
            Question("Clear the conversation?", "Its answers and its tally are forgotten.", "Clear it"), answered
        )

    def recall(self, back: int) -> str | None:
        """The prompt typed `back` prompts ago, or None."""
        typed = [exchange.prompt for exchange in self.history if exchange.row is None]
        return typed[-back] if 0 < back <= len(typed) else None

    def _tell(self, sentence: str, severity: str = "warning") -> None:
        self.post_message(Told(sentence, severity))
