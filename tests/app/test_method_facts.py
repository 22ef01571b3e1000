"""The method pane beyond its form: facts, misfits, targets in the model's tree, and PEFT's kinds."""

from __future__ import annotations

import json
import time

import pytest
from driving import opened, press, screen_text, story, text_of
from on_method import on_method, row
from waiting import wait_for

from workbench.app.counting import COUNTING
from workbench.app.panes.method.methods import MethodList
from workbench.app.panes.method.targets_screen import TargetsScreen
from workbench.app.screens.choice import ChoiceScreen
from workbench.app.widgets.fields import NumberField
from workbench.app.widgets.key_line import KeyLine
from workbench.core.methods import METHODS


async def test_it_says_by_which_formula_the_method_counts_and_what_becomes_of_it(workspace):
    async with opened(workspace, story(), (120, 60)) as (app, pilot):
        await on_method(pilot, app)
        shown = " ".join(app.built["method"].facts.text.split())
        lora = METHODS["lora"]
        assert f"{lora.trains}: {lora.formula} = 78,848" in shown
        assert "proved on Llama" in shown and "learning rate 0.0043 on this model" in shown
        about = app.built["method"].about
        assert "merges into the base" in about.text and "base and tuned share one model" in about.text
        app.edit({"method.name": "houlsby"})
        await wait_for(lambda: "does not merge" in about.text)
        assert "4-bit NF4" in app.built["method"].facts.text


async def test_a_method_that_does_not_fit_the_model_is_grey_says_why_and_is_not_chosen(workspace, tmp_path):
    config = {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_embd": 64, "n_layer": 2, "n_head": 2,
              "vocab_size": 101, "n_positions": 128}  # fmt: skip
    folder = tmp_path / "gpt2"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    async with opened(workspace, story(model={"path": str(folder)}), (120, 60), read=False) as (app, pilot):
        await wait_for(lambda: app.estimate is not None, 120)
        await on_method(pilot, app)
        methods = app.query_one(MethodList)
        place = list(METHODS).index("oft")
        assert "does not fit: OFT cannot reach" in str(methods.options[place].prompt)
        methods.highlighted = place
        await press(pilot, "enter")
        await wait_for(lambda: any("a Conv1D as GPT-2 has them" in one.message for one in app._notifications))
        assert app.recipe.method.name == "lora"


async def test_targets_are_ticked_in_the_models_own_tree(workspace):
    async with opened(workspace, story(), (120, 45)) as (app, pilot):
        await on_method(pilot, app)
        await press(pilot, "t")
        await wait_for(lambda: isinstance(app.screen, TargetsScreen))
        nodes = app.screen._shown
        await press(pilot, *["down"] * nodes.index(("kind", "gate_proj")), "space")
        await wait_for(lambda: "gate_proj" not in app.screen.targets)
        await press(pilot, *["down"] * (nodes.index(("blocks", "")) - nodes.index(("kind", "gate_proj"))), "right")
        await wait_for(lambda: ("block", "1") in app.screen._shown)
        await press(pilot, "down", "down", "space", "ctrl+o")
        await wait_for(lambda: not isinstance(app.screen, TargetsScreen))
        assert app.recipe.method.knobs["targets"] == "q_proj,k_proj,v_proj,o_proj,up_proj,down_proj"
        assert app.recipe.method.knobs["layers"] == "0,2-3"
        assert app.estimate.trainable_parameters == (78_848 - 15_360) * 3 // 4


async def test_a_low_pane_says_what_becomes_of_the_result_below_the_knobs(workspace):
    async with opened(workspace, story(), (80, 24)) as (app, pilot):
        await on_method(pilot, app)
        assert "merges" not in app.built["method"].about.text.replace("\n", " ").partition("h = ")[2]
        assert "merges into the base" in app.built["method"].facts.text


async def test_a_method_without_targets_offers_no_key_for_them(workspace):
    async with opened(workspace, story(), (120, 36)) as (app, pilot):
        await on_method(pilot, app)
        assert "t Targets" in text_of(app.query_one(KeyLine))
        app.edit({"method.name": "houlsby"})
        await wait_for(lambda: "Targets" not in text_of(app.query_one(KeyLine)))
        app.edit({"method.name": "lora"})
        await wait_for(lambda: "t Targets" in text_of(app.query_one(KeyLine)))


async def test_any_of_pefts_says_what_to_name_and_shows_no_figures_of_the_method_before(workspace):
    async with opened(workspace, story(), (120, 45)) as (app, pilot):
        await on_method(pilot, app)
        memory = app.built["memory"]
        await wait_for(lambda: memory.fits_on)
        memory.aspect = "cards"
        await wait_for(lambda: "B200 192 GB" in text_of(memory))
        app.edit({"method.name": "peft"})
        await wait_for(lambda: "Name one of PEFT's kinds" in app.built["method"].refusal.text)
        await wait_for(lambda: "B200 192 GB" not in text_of(memory))
        assert "Name one of PEFT's kinds" in text_of(memory)
        assert "needs kind" in screen_text(app)


async def test_enter_takes_what_stands_in_grey_behind_the_typed_letters(workspace):
    async with opened(workspace, story(), (120, 45)) as (app, pilot):
        await on_method(pilot, app)
        field = row(app, "method.targets").field
        field.focus()
        field.value = ""
        await press(pilot, "A", "t", "enter")
        await wait_for(lambda: app.recipe.method.knobs["targets"] == "attention")
        assert field.value == "attention"


async def test_letters_lead_through_a_list_of_choices(workspace):
    async with opened(workspace, story(), (120, 45)) as (app, pilot):
        await on_method(pilot, app)
        row(app, "method.targets").field.focus()
        await press(pilot, "enter")
        await wait_for(lambda: isinstance(app.screen, ChoiceScreen))
        labels = app.screen.labels
        await press(pilot, "u", "enter")
        await wait_for(lambda: app.recipe.method.knobs["targets"] == "up_proj")
        assert "up_proj" in labels


async def test_a_preset_of_targets_is_taken_with_one_key(workspace):
    async with opened(workspace, story(), (80, 24)) as (app, pilot):
        await on_method(pilot, app)
        await press(pilot, "t", "down", "down", "enter")
        await wait_for(lambda: app.recipe.method.knobs["targets"] == "q+v")


@pytest.mark.slow
async def test_a_kind_of_peft_has_fields_of_its_own_and_is_counted_while_the_app_goes_on(workspace, monkeypatch):
    monkeypatch.setenv("WORKBENCH_HOME", str(workspace.root))  # as the command does; nothing is counted there yet
    recipe = story(method={"name": "peft", "kind": "loha"})
    async with opened(workspace, recipe, (120, 60), read=False) as (app, pilot):
        await on_method(pilot, app)
        row(app, "method.kind").field.focus()
        await wait_for(lambda: app.estimate_note == COUNTING, 60)
        assert app.estimate is None and "to count what it trains" in app.built["method"].trainable.text
        began = time.perf_counter()
        app.edit({"training.seed": 3})
        assert time.perf_counter() - began < 1.0
        await wait_for(lambda: "method.settings.r" in [found.key for found in app.query("KnobRow")], 200)
        assert row(app, "method.settings.r").knob.help and isinstance(row(app, "method.settings.r").field, NumberField)
        assert "method.settings" not in [found.key for found in app.query("KnobRow")]
        await wait_for(lambda: row(app, "method.kind").field.has_focus)  # though its form was made anew
        await wait_for(lambda: app.estimate is not None, 200)
        before = app.estimate.trainable_parameters
        field = row(app, "method.settings.r").field
        field.focus()
        await press(pilot, "minus")
        await wait_for(lambda: app.recipe.method.knobs["settings"].get("r", 8) < 8)
        await wait_for(lambda: app.estimate_note == COUNTING)
        await wait_for(lambda: app.estimate_note != COUNTING, 200)
        assert app.estimate is not None, app.estimate_note  # the sentence that says why not
        assert app.estimate.trainable_parameters < before
