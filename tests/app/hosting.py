"""A small app around one pane, and run folders as a trainer would leave them."""

import json
import math
import os
import socket
import time

import psutil
from textual.app import App

from workbench.app.glyphs import glyphs
from workbench.app.messages import Told
from workbench.app.themes import THEMES
from workbench.core.recipe import recipe_from_mapping, recipe_to_yaml
from workbench.core.runs.events import EventWriter
from workbench.core.runs.folder import RunFolder, Status

QUESTIONS = [("What is the capital of Peru?", "Lima"), ("What is the capital of Iceland?", "Reykjavik")]


class Host(App):
    """An app with one pane; what the pane tells is kept."""

    CSS = "Screen { background: $background; }"

    def __init__(self, pane, helper=None):
        super().__init__()
        self.pane = pane
        self.helper = helper
        self.told = []
        for theme in THEMES.values():
            self.register_theme(theme)
        self.theme = "workbench"

    def get_css_variables(self):
        own = {"quiet": "#93a1b1", "edge-blurred": "#36434f", "bar-empty": "#3a4754"}
        return {**own, **super().get_css_variables(), "edge": glyphs().border}

    def compose(self):
        yield self.pane

    def on_mount(self):
        self.pane.focus_first()

    def sentences(self):
        return [message.sentence for message in self.told if isinstance(message, Told)]

    def messages(self, kind):
        return [message for message in self.told if isinstance(message, kind)]

    def keep(self, message):
        self.told.append(message)

    on_told = on_run_chosen = on_control_requested = keep
    on_chat_requested = on_recipe_opened = on_start_requested = keep


def screen_text(app):
    """What stands on the screen, line by line."""
    return "\n".join("".join(segment.text for segment in line) for line in app.screen._compositor.render_strips())


def write_status(folder, state, step, steps, pid=None, started=None):
    """The status of a run; a live one belongs to this very process unless `pid` says otherwise."""
    process = psutil.Process(os.getpid())
    folder.write_status(
        Status(
            state=state,
            pid=pid or process.pid,
            pid_started=0.0 if pid else process.create_time(),
            host=socket.gethostname(),
            step=step,
            steps=steps,
            started=started or time.time() - 30,
            heartbeat=time.time(),
            seconds=step * 0.1,
        )
    )


def start_events(writer, steps=100, resumed_from=None):
    """A start event, and where it is the first one the base's measurement."""
    writer.write(
        "start", resumed_from or 0, total_parameters=1_276_032, trainable_parameters=78_848, share=0.0618, rows=86,
        held_out_rows=86, steps=steps, tokens_per_epoch=2_000, device="cpu", precision="float32",
        predicted_memory=643_000_000, resumed_from=resumed_from,
    )  # fmt: skip
    if resumed_from is None:
        writer.write("eval", 0, loss=6.3445, tokens=300, side="base", score=0.0, scored=32)


def step_events(writer, first, last, steps=100):
    """Steps with falling loss, and a measurement with samples every 50."""
    for step in range(first, last + 1):
        writer.write(
            "step", step, loss=3 * math.exp(-step / 30) + 0.1, learning_rate=1e-3 * (1 - step / steps), grad_norm=0.5,
            tokens=step * 200, trained_tokens=step * 40, tokens_per_second=2_000.0, seconds=step * 0.1, epoch=step / 40,
        )  # fmt: skip
        if step % 50 == 0:
            writer.write("eval", step, loss=0.75, tokens=300, side="tuned", score=0.5, scored=32)
            for (prompt, expected), tuned in zip(QUESTIONS, ("Lima", "[bold]Rey\x1b[31mkjavik"), strict=True):
                writer.write("sample", step, prompt=prompt, expected=expected, base="a city", tuned=tuned)
            writer.write("checkpoint", step, path=f"checkpoints/step-{step}", bytes=1000)


def make_run(workspace, name="brave-otter", state="running", step=60, steps=100, end_text="", facts=None):
    """A run folder in that state, with its events; a lost one belongs to a process that is gone."""
    folder = RunFolder(workspace.runs / name)
    folder.path.mkdir(parents=True)
    folder.recipe.write_text(recipe_to_yaml(recipe_from_mapping({})), encoding="utf-8")
    writer = EventWriter(folder.events)
    start_events(writer, steps)
    step_events(writer, 1, step, steps)
    if state in ("finished", "stopped", "failed"):
        writer.write("end", step, state=state, text=end_text)
    writer.close()
    gone = 2**22 + 1
    ended = state in ("finished", "stopped", "failed", "lost")
    write_status(folder, "running" if state == "lost" else state, step, steps, pid=gone if ended else None)
    if state in ("finished", "stopped"):
        folder.adapter.mkdir()
    for saved in range(50, step + 1, 50):
        (folder.checkpoints / f"step-{saved}").mkdir(parents=True)
    if facts is not None:
        (folder.path / "facts.json").write_text(json.dumps(facts), encoding="utf-8")
    folder.log.write_text("loading\nready \x1b[31m[bold]red\n", encoding="utf-8")
    return folder


def lines_with(app, text):
    """The lines of the screen that hold a text."""
    return [line for line in screen_text(app).splitlines() if text in line]
