"""The same row in every chat template, with the warnings beside it, and the one that is chosen in the recipe."""

from __future__ import annotations

import pytest
from data_rows import rows_shown
from driving import opened, press, screen_text, story
from waiting import wait_for

from workbench.app.panes.data.set_up import SetUp
from workbench.app.panes.data.templates import IN_SHORT, TITLES, Templates
from workbench.app.widgets.drawn import Drawn


async def shown(app):
    screen = await wait_for(lambda: isinstance(app.screen, Templates) and app.screen)
    await wait_for(lambda: screen.templates)
    return screen


@pytest.mark.parametrize("size", [(160, 45), (80, 24)])
async def test_t_shows_the_row_in_each_template_and_enter_takes_the_lit_one(workspace, size):
    async with opened(workspace, story(), size) as (app, pilot):
        await rows_shown(app)
        await press(pilot, "t")
        screen = await shown(app)
        await wait_for(lambda: all(title in screen_text(app) for title in TITLES.values()))
        own = next(item for item in screen.templates if item["name"] == "own")
        assert own["chosen"] and screen.lit == own
        text = screen.tokens.query_one(Drawn)
        await wait_for(lambda: f"trained {sum(own['trained'])}" in text.text and "<|assistant|>" in text.text)
        assert "Nothing is wrong with it" in screen.warnings.text
        await press(pilot, "down")
        await wait_for(lambda: "<|im_start|>" in text.text)
        said = screen.warnings.text
        assert IN_SHORT["unknown_end_token"] in said or "<|im_end|>, which is no token of this model" in said
        await press(pilot, "enter")
        await wait_for(lambda: app.recipe.data.template == "chatml")
        await wait_for(lambda: app.data_state.report["template"] == "chatml")
        await press(pilot, "u")
        await wait_for(lambda: app.recipe.data.template == "auto")


async def test_n_shows_the_next_row_in_the_same_template_and_escape_changes_nothing(workspace):
    async with opened(workspace, story(), (120, 36)) as (app, pilot):
        await rows_shown(app)
        await press(pilot, "t")
        screen = await shown(app)
        await press(pilot, "down", "down", "n")
        await wait_for(lambda: "Alpaca, row 2" in screen_text(app))
        await wait_for(lambda: "capital of Denmark" in screen.tokens.query_one(Drawn).text)
        await press(pilot, "i")
        await wait_for(lambda: f" {screen.lit['ids'][0]} " in screen.tokens.query_one(Drawn).text)
        await press(pilot, "escape")
        await wait_for(lambda: not isinstance(app.screen, Templates))
        assert app.recipe.data.template == "auto"


async def test_enter_in_the_field_of_the_template_shows_the_row_in_each_of_them(workspace):
    async with opened(workspace, story(), (160, 45)) as (app, pilot):
        await rows_shown(app)
        app.query_one(SetUp).form.rows["data.template"].field.focus()
        await press(pilot, "enter")
        screen = await shown(app)
        await press(pilot, "end", "up", "enter")
        await wait_for(lambda: app.recipe.data.template == screen.templates[-2]["name"] == "plain")
