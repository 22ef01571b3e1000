"""The method pane beyond its form: facts, misfits, targets in the model's tree, and PEFT's kinds."""

from __future__ import annotations

import json
import time

import pytest
from driving import opened, press, story
from on_method import on_method, row
from waiting import wait_for

from workbench.app.counting import COUNTING
from workbench.app.panes.method.methods import MethodList
from workbench.app.panes.method.targets_screen import TargetsScreen
from workbench.app.widgets.fields import NumberField
from workbench.core.methods import METHODS


async def test_it_says_by_which_formula_the_method_counts_and_what_becomes_of_it(workspace):
    async with opened(workspace, story(), (120, 60)) as (app, pilot):
        await on_method(pilot, app)
        shown = " ".join(app.built["method"].facts.text.split())
        lora = METHODS["lora"]
        assert f"{lora.trains}: {lora.formula} = 78,848" in shown
        assert "merges into the base" in shown and "answer from one model in memory" in shown
        assert "proved on Llama" in shown and "learning rate 0.0043 on this model" in shown
        app.edit({"method.name": "houlsby"})
        await wait_for(lambda: "does not merge" in app.built["method"].facts.text)
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
        await wait_for(lambda: app.estimate_note == COUNTING, 60)
        assert app.estimate is None and "to count what it trains" in app.built["method"].trainable.text
        began = time.perf_counter()
        app.edit({"training.seed": 3})
        assert time.perf_counter() - began < 1.0
        await wait_for(lambda: "method.settings.r" in [found.key for found in app.query("KnobRow")], 200)
        assert row(app, "method.settings.r").knob.help and isinstance(row(app, "method.settings.r").field, NumberField)
        assert "method.settings" not in [found.key for found in app.query("KnobRow")]
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
