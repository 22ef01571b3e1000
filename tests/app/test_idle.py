"""The app while nothing happens: nothing is laid out again, whatever the size of the terminal."""

from __future__ import annotations

import pytest
from driving import opened, story
from textual.screen import Screen
from waiting import wait_for

PANES = ("data", "method", "memory", "monitor", "chat", "runs", "learn")
TURNS = 8
"""Times that the event loop comes to rest."""


@pytest.mark.parametrize(
    "size", [pytest.param((160, 45), marks=pytest.mark.slow), (120, 45), pytest.param((80, 24), marks=pytest.mark.slow)]
)
async def test_no_pane_is_laid_out_again_while_nothing_happens(workspace, size, monkeypatch):
    laid_out: list[str] = []
    kept = Screen._refresh_layout

    def count(self, *given, **named):
        laid_out.append(type(self).__name__)
        return kept(self, *given, **named)

    async with opened(workspace, story(), size) as (app, pilot):
        await wait_for(lambda: app.estimate is not None and not app.data_state.busy)
        monkeypatch.setattr(Screen, "_refresh_layout", count)
        for pane in PANES:
            await app.show_pane(pane)
            if pane == "memory":
                await wait_for(lambda: app.built["memory"].advice)
            for _ in range(TURNS):
                await pilot.pause()
            laid_out.clear()
            for _ in range(TURNS):
                await pilot.pause()
            assert len(laid_out) <= 2, f"{pane} was laid out {len(laid_out)} times"
