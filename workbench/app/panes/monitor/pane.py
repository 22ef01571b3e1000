"""The monitor pane: charts, figures, sample answers and controls of the followed run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.reactive import reactive
from textual.widgets import Button, Static

from workbench.app.actions import bindings_for
from workbench.app.charts.chart import Chart
from workbench.app.glyphs import glyphs
from workbench.app.messages import ChatRequested, ControlRequested, StartRequested, Told
from workbench.app.panes.monitor.curves import right_edge, run_curves
from workbench.app.panes.monitor.figures import Figures
from workbench.app.panes.monitor.log_tail import LogTail
from workbench.app.panes.monitor.samples import Notices, Samples
from workbench.app.panes.monitor.state import can_control
from workbench.app.panes.monitor.state_line import StateLine
from workbench.app.screens.question import Question
from workbench.app.words import visible
from workbench.core.recipe import Recipe
from workbench.core.runs.folder import ENDED, RunFolder, Status
from workbench.core.runs.view import RunView

if TYPE_CHECKING:
    from textual.events import Hide, Resize, Show
    from textual.timer import Timer

PERIOD = 1.0
"""Seconds between two redraws."""

PATIENCE = 5.0
"""Seconds after which a run that was asked to go on and does not is shown as it is."""

WIDE = 100
"""Columns from which charts and figures stand side by side."""

TALL = 22
"""Lines from which a narrow pane has room for gaps and for the row of buttons."""

NOTICED = 16
"""Lines from which a narrow pane has room for a notice."""

WIDE_VIEWS = ("all", "loss", "rate", "speed")
NARROW_VIEWS = ("loss", "rate", "speed", "samples")
"""What the key for the next chart steps through."""

EMPTY = (
    "No run yet.\n\n"
    "1 shows the data, 2 chooses how to train, 3 says whether it fits.\n"
    "Press s to start a run of the recipe as it stands, or 6 to open an earlier one."
)


class MonitorPane(Vertical, can_focus=True):
    """How the followed run is going."""

    BINDINGS = bindings_for("monitor")

    HELP = (
        "The followed run. The loss falls as it learns; the diamonds are the loss on rows that it is never trained on, "
        "and when those rise again it learns its rows by heart. Right answers counts held-out questions that are "
        "answered exactly as expected, by the base and by the run. Nothing here keeps the run alive: it goes on when "
        "the app is closed."
    )

    DEFAULT_CSS = """
    MonitorPane {
        #empty { padding: 1 2; height: auto; }
        #empty-start { margin: 0 2; }
        #state { height: auto; }
        #body { layout: horizontal; height: 1fr; margin-top: 1; }
        #charts { width: 3fr; height: 1fr; }
        #side { width: 2fr; height: 1fr; padding-left: 2; }
        #loss { height: 2fr; }
        #rate, #speed { height: 1fr; margin-top: 1; }
        #log { height: 1fr; display: none; }
        #figures { height: auto; }
        Samples { height: 1fr; margin-top: 1; scrollbar-size-vertical: 1; }
        SampleLines { height: auto; }
        #notices { height: auto; display: none; margin-top: 1; }
        #notices.-some { display: block; }
        #controls { height: 1; margin-top: 1; }
        #controls Button { margin-right: 2; min-width: 8; width: auto; }
        &.narrow {
            #body { layout: vertical; }
            #side { width: 1fr; height: auto; padding-left: 0; margin-top: 1; }
            #charts { width: 1fr; }
            #rate, #speed { margin-top: 0; }
            Samples { display: none; }
            &.samples #side { height: 1fr; margin-top: 0; }
            &.samples Samples { display: block; }
            &.samples #charts { display: none; }
        }
        &.short {
            #side { margin-top: 0; }
            #body { margin-top: 0; }
            #controls { display: none; }
            #notices { margin-top: 0; max-height: 1; }
            &.tiny #notices.-some { display: none; }
        }
        &.loss { #rate, #speed { display: none; } #loss { height: 1fr; } }
        &.rate { #loss, #speed { display: none; } #rate { margin-top: 0; } }
        &.speed { #loss, #rate { display: none; } #speed { margin-top: 0; } }
        &.log { #loss, #rate, #speed { display: none; } #log { display: block; } #charts { display: block; } }
        &.log.narrow { Samples { display: none; } #side { height: auto; } }
    }
    """

    recipe: reactive[Recipe | None] = reactive(None, repaint=False)
    run: reactive[RunFolder | None] = reactive(None, repaint=False)
    view: reactive[RunView | None] = reactive(None, repaint=False)
    status: reactive[Status | None] = reactive(None, repaint=False)

    def __init__(self, *, id: str | None = "monitor") -> None:
        super().__init__(id=id)
        self._chosen = "all"
        self._logarithmic = False
        self._asked = ""
        self._asked_in = ""
        self._shown = True
        self._ready = False
        self._drawn_at = float("-inf")
        self._waiting: Timer | None = None
        self._reading: Timer | None = None

    def compose(self) -> ComposeResult:
        yield Static(EMPTY, id="empty", markup=False)
        yield Button("Start a run", id="empty-start", compact=True)
        yield StateLine(id="state")
        with Horizontal(id="body"):
            with Vertical(id="charts"):
                yield Chart("Loss", id="loss")
                yield Chart("Learning rate", from_zero=True, id="rate")
                yield Chart("Speed in tokens/s", from_zero=True, id="speed")
                yield LogTail(id="log")
            with Vertical(id="side"):
                yield Figures(id="figures")
                yield Samples(id="samples")
                yield Notices(id="notices")
        with Horizontal(id="controls"):
            for name in ("pause", "stop", "checkpoint", "log", "chat"):
                yield Button("", id=f"do-{name}", compact=True)

    def on_mount(self) -> None:
        self._reading = self.set_interval(PERIOD, self._read_log, pause=True)
        self._ready = True
        self._draw()

    def focus_first(self) -> None:
        """Begin on the pane itself, whose keys control the run."""
        self.focus()

    # what comes down

    def watch_run(self) -> None:
        self._asked = ""
        self._changed(at_once=True)
        self.refresh_bindings()

    def watch_view(self, before: RunView | None, after: RunView | None) -> None:
        if self._asked == "checkpoint" and before and after and after.checkpoints != before.checkpoints:
            self._asked = ""
        self._changed()

    def watch_status(self, before: Status | None, after: Status | None) -> None:
        if (before.state if before else None) != (after.state if after else None):
            self._asked = ""
            self._changed(at_once=True)
            self.refresh_bindings()

    def on_show(self, event: Show) -> None:  # noqa: ARG002
        self._shown = True
        self._changed(at_once=True)
        self.call_after_refresh(self.focus_first)

    def on_hide(self, event: Hide) -> None:  # noqa: ARG002
        self._shown = False

    def on_resize(self, event: Resize) -> None:  # noqa: ARG002
        narrow = self.size.width < WIDE
        self.set_class(narrow, "narrow")
        self.set_class(narrow and self.size.height < TALL, "short")
        self.set_class(narrow and self.size.height < NOTICED, "tiny")
        self.query_one(Figures).columns = 2 if narrow else 1
        self._set_view(self._chosen)
        self._changed(at_once=True)

    # drawing, at most once a period

    def _changed(self, at_once: bool = False) -> None:
        if not self._ready or not self._shown:
            return
        wait = 0.0 if at_once else self._drawn_at + PERIOD - time.monotonic()
        if wait <= 0:
            self._draw()
        elif self._waiting is None:
            self._waiting = self.set_timer(wait, self._draw)

    def _draw(self) -> None:
        if self._waiting is not None:
            self._waiting.stop()
            self._waiting = None
        self._drawn_at = time.monotonic()
        run, view = self.run, self.view or RunView()
        self.query_one("#empty").display = run is None
        self.query_one("#empty-start").display = run is None
        self.query_one("#state").display = run is not None
        self.query_one("#body").display = run is not None
        self.query_one("#controls").display = run is not None and not self.has_class("short")
        if run is None:
            return
        self.query_one(StateLine).show(run, self.status, view, self._asked)
        self._draw_charts(view)
        self.query_one(Figures).show(view)
        self.query_one(Samples).show(view)
        self.query_one(Notices).show(view)
        self._label_buttons()

    def _draw_charts(self, view: RunView) -> None:
        last = right_edge(view)
        for name, curves in run_curves(view).items():
            chart = self.query_one(f"#{name}", Chart)
            chart.ascii_only = glyphs().ascii
            chart.show(curves, last, self._logarithmic and name == "loss")

    def _read_log(self) -> None:
        if self.run is not None and self._shown:
            self.query_one(LogTail).show(self.run.log)

    def _label_buttons(self) -> None:
        state = self.status.state if self.status else None
        labels = {
            "pause": "Pause" if state in ("queued", "running") else "Go on" if state == "paused" else "Resume",
            "stop": "Stop",
            "checkpoint": "Checkpoint",
            "log": "Charts" if self.has_class("log") else "Log",
            "chat": "Chat",
        }
        shown = {
            "pause": state != "finished",
            "stop": can_control(state),
            "checkpoint": can_control(state),
            "log": True,
            "chat": self.run is not None and self.run.result is not None,
        }
        for name, label in labels.items():
            button = self.query_one(f"#do-{name}", Button)
            if str(button.label) != label:
                button.label = label
            button.display = shown[name]

    # what the person does

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        does = {
            "empty-start": lambda: self.post_message(StartRequested()),
            "do-pause": self.action_pause if self.check_action("pause", ()) else self.action_go_on,
            "do-stop": self.action_stop,
            "do-checkpoint": self.action_checkpoint,
            "do-log": self.action_show_log,
            "do-chat": self.action_chat,
        }
        does[str(event.button.id)]()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        state = self._state
        if action in ("stop", "checkpoint"):
            return can_control(state)
        if action == "pause":
            return state in ("queued", "running")
        if action == "go_on":
            return state == "paused" or (state in ENDED and state != "finished")
        if action in ("show_log", "next_chart", "log_scale", "chat"):
            return self.run is not None
        return True

    def action_pause(self) -> None:
        """Pause the run after the step in progress."""
        self._ask("pause")

    def action_go_on(self) -> None:
        """Let a paused run go on, or resume one that has ended early."""
        self._ask("run")

    def action_stop(self) -> None:
        """Stop the run, after a question."""
        if self.run is None:
            return

        def answered(yes: bool | None) -> None:
            if yes and can_control(self._state):
                self._ask("stop")

        self.app.push_screen(
            Question(
                f"Stop {visible(self.run.name)}?",
                "It keeps what it has learned so far and can be resumed later.",
                "Stop it",
            ),
            answered,
        )

    def action_checkpoint(self) -> None:
        """Have a checkpoint written now."""
        self._ask("checkpoint")

    def action_show_log(self) -> None:
        """Show the end of the log in the place of the charts, or the charts again."""
        if self.run is None or self._reading is None:
            return
        if self.toggle_class("log").has_class("log"):
            self._reading.resume()
            self.call_after_refresh(self._read_log)
        else:
            self._reading.pause()
        self._changed(at_once=True)

    def action_next_chart(self) -> None:
        """Show the next chart alone, and after the last all of them (in a narrow pane: the samples)."""
        views = NARROW_VIEWS if self.has_class("narrow") else WIDE_VIEWS
        place = views.index(self._chosen) if self._chosen in views else 0
        self._set_view(views[(place + 1) % len(views)])
        self._changed(at_once=True)

    def action_log_scale(self) -> None:
        """Draw the losses on a logarithmic scale, or on a plain one."""
        self._logarithmic = not self._logarithmic
        self._changed(at_once=True)

    def action_chat(self) -> None:
        """Talk to the run's base and tuned model."""
        if self.run is not None and self.run.result is not None:
            self.post_message(ChatRequested(self.run))
        else:
            self._tell("There is nothing to talk to yet; the run writes its model when it stops or finishes.")

    # small helpers

    @property
    def _state(self) -> str:
        return self.status.state if self.status else ("lost" if self.run else "")

    def _ask(self, want: str) -> None:
        self._asked = want
        self._changed(at_once=True)
        self.post_message(ControlRequested(want))
        if want == "run":  # where it cannot be resumed, the app says why and nothing changes here
            self.set_timer(PATIENCE, self._stop_waiting)

    def _stop_waiting(self) -> None:
        if self._asked == "run":
            self._asked = ""
            self._changed(at_once=True)

    def _tell(self, sentence: str) -> None:
        self.post_message(Told(sentence, "warning"))

    def _set_view(self, chosen: str) -> None:
        """Show the chosen view; one that this width does not have waits for its return."""
        views = NARROW_VIEWS if self.has_class("narrow") else WIDE_VIEWS
        self._chosen = chosen
        shown = chosen if chosen in views else views[0]
        for name in ("loss", "rate", "speed", "samples"):
            self.set_class(shown == name, name)
