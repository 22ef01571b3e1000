"""Calibrating from the pane: two real steps by the helper, with progress, and stopped by Escape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from textual import events

from workbench.app.deferred import deferred
from workbench.app.glyphs import glyphs
from workbench.app.messages import Told
from workbench.app.panes.memory.here import error_words
from workbench.app.panes.memory.planning import Planning
from workbench.app.reading import sentence_of
from workbench.app.starting import reason_not_to_start
from workbench.core.recipe import recipe_to_mapping
from workbench.core.words import size_text

GROUP = "calibrate"


class Calibrating(Planning):
    """Two real steps, measured."""

    def __init__(self) -> None:
        super().__init__()
        self.progress = ""
        """What the steps are at; empty where none are taken."""

    def action_aspect(self, name: str) -> None:
        """Show one of the views."""
        raise NotImplementedError

    def action_calibrate(self) -> None:
        """Take two real steps and measure them; asks first where the run does not fit."""
        if self.progress:
            self.post_message(Told("Two steps are being taken already; Escape stops them."))
            return
        desk = self.desk
        reason = reason_not_to_start(self.recipe, self.skeleton, desk.model_note, self.data_state)
        if reason:
            self.post_message(Told(reason, "error"))
            return
        estimate = self.estimate
        if estimate is None or estimate.verdict != "does not fit":
            self._begin(True)
            return
        from workbench.app.screens.question import Question

        sentence = (
            f"These steps would need about {size_text(estimate.process)}, and {size_text(estimate.device.free)} are "
            "free. They will probably stop for want of memory, and may slow everything else down."
        )
        self.app.push_screen(Question("Calibrate anyway", sentence, "Take the steps", "Not now"), self._begin)

    def _begin(self, yes: bool | None) -> None:
        if yes:
            self.action_aspect("here")
            self._say("Starting the engine")
            self.run_worker(deferred(self._calibrate), group=GROUP, exclusive=True)

    def _say(self, text: str) -> None:
        self.progress = f"{text} {glyphs().dot} Esc stops" if text else ""
        self.draw_plans()

    async def _calibrate(self) -> None:
        recipe = self.recipe

        def tell(event: Mapping[str, Any]) -> None:
            if event.get("text"):
                self._say(str(event["text"]))

        try:
            found, wrong = await sentence_of(
                lambda: self.desk.helper.request("calibrate", tell, recipe=recipe_to_mapping(recipe))
            )
        finally:
            if self.is_attached:
                await self.desk.find_device()
                self._say("")
        if wrong:
            self.post_message(Told(wrong, "error"))
            return
        newest = self.experience.compared[0] if self.experience and self.experience.compared else None
        if found and newest is not None:
            self.post_message(
                Told(
                    f"Measured {size_text(newest.measured)}; the estimate of {size_text(newest.predicted)} was "
                    f"{error_words(newest.error)}."
                )
            )

    def key_escape(self, event: events.Key) -> None:
        """Escape stops the steps; elsewhere it goes on to the app."""
        if self.progress:
            event.stop()
            self.workers.cancel_group(self, GROUP)
            self.post_message(Told("The steps are stopped."))
