"""Hostile files opened by hand in the data pane: rows or one sentence, and a pane that still answers."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from driving import opened, press, screen_text, story, text_of
from waiting import wait_for

from workbench.app.panes.data.rows import RowList
from workbench.app.panes.data.set_up import SetUp

sys.path.append(str(Path(__file__).parents[1] / "data"))
from hostile_files import HOSTILE

BYTES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What a terminal would obey, or turn a line around by."""

PARTS = 4


def settled(app, source):
    """Whether the source has been read, or refused."""
    state = app.data_state
    return app.recipe.data.source == source and not state.busy and (state.problem or state.report is not None)


@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.slow) for part in range(1, PARTS))])
@pytest.mark.timeout(300)
async def test_each_hostile_file_is_shown_or_refused_in_one_sentence_and_keys_still_work(workspace, tmp_path, part):
    async with opened(workspace, story(), (120, 36)) as (app, pilot):
        pane, rows = app.built["data"], app.query_one(RowList)
        await press(pilot, "e")
        field = await wait_for(lambda: app.query(SetUp) and app.query_one(SetUp).form.rows["data.source"].field)
        for name, content in HOSTILE[part::PARTS]:
            file = tmp_path / name
            file.write_bytes(content)
            before = app.data_state.report
            field.focus()
            field.value = str(file)
            await press(pilot, "enter")
            await wait_for(lambda file=file: app.recipe.data.source == str(file))
            await wait_for(
                lambda before=before, file=file: (settled(app, str(file)) and app.data_state.report is not before)
                or app.data_state.problem, 90
            )  # fmt: skip
            said = app.data_state.problem
            assert "Traceback" not in said and "\n" not in said, name
            if said:
                assert said.endswith("."), said
            else:
                await wait_for(lambda: rows.total == app.data_state.report["rows"])
            await press(pilot, "escape", "end", "d", "n", "e")
            screen = screen_text(app)
            assert "Traceback" not in screen, name
            assert not BYTES.search(screen.replace("\n", "")), name
            assert pane.is_attached and app.is_running
        await press(pilot, "escape", "f3")
        await wait_for(lambda: "LoRA" in screen_text(app))
        assert "Traceback" not in text_of(app.screen)
