"""The memory pane's sliders, trace, cards, tree, calibration, time and money, and models of which only a config is there."""

from __future__ import annotations

import dataclasses
import json
import time

import psutil
from driving import opened, press, screen_text, story, text_of, type_text
from waiting import wait_for

from workbench.app.glyphs import glyphs
from workbench.app.panes.memory.sliders import Sliders, sliders_of
from workbench.app.panes.memory.tree import ParameterTree
from workbench.app.screens.explanation import Explanation
from workbench.app.screens.question import Question
from workbench.core.memory.accuracy import accuracy_tables
from workbench.core.memory.cards import CARDS
from workbench.core.memory.costs import Price, keep_price, money_text, read_price
from workbench.core.memory.device import Device, find_device
from workbench.core.memory.estimate import estimate_memory
from workbench.core.memory.experience import keep_rehearsal
from workbench.core.memory.traced import Traced, keep_traced
from workbench.core.recipe import change_recipe
from workbench.core.words import count_text, size_text

LLAMA = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336,
    "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256,
    "max_position_embeddings": 8192, "tie_word_embeddings": False, "hidden_act": "silu", "rms_norm_eps": 1e-5,
}  # fmt: skip


async def on_memory(pilot, app):
    await press(pilot, "f4")
    await wait_for(lambda: app.pane == "memory" and app.built["memory"].display)
    await pilot.pause()


def words(app):
    """What the memory pane shows, as one line."""
    return " ".join(text_of(app.built["memory"]).replace("│", " ").split())


async def test_a_slider_moves_the_figures_at_once_and_u_takes_its_whole_way_back(workspace):
    async with opened(workspace, story(), (120, 36)) as (app, pilot):
        await on_memory(pilot, app)
        assert isinstance(app.focused, Sliders)
        start, before = app.recipe, app.estimate
        await press(pilot, "right")
        await wait_for(lambda: app.recipe.training.micro_batch == 16)
        assert app.estimate.process > before.process
        await wait_for(lambda: size_text(app.estimate.process) in words(app))
        await press(pilot, "right")
        await wait_for(lambda: app.recipe.training.micro_batch == 32)
        assert app.recipe.training.effective_batch % 32 == 0
        await press(pilot, "u")
        await wait_for(lambda: app.recipe.training.micro_batch == 8)
        assert app.recipe == start


async def test_each_slider_is_reached_by_down_and_recomputing_is_turned_by_space(workspace):
    async with opened(workspace, story(), (80, 24)) as (app, pilot):
        await on_memory(pilot, app)
        await press(pilot, "down", "down", "plus")
        await wait_for(lambda: app.recipe.method.knobs["rank"] == 16)
        await press(pilot, "down", "space")
        await wait_for(lambda: app.recipe.training.gradient_checkpointing)


async def test_recomputing_is_a_switch_that_a_click_turns(workspace):
    async with opened(workspace, story(), (120, 36)) as (app, pilot):
        await on_memory(pilot, app)
        sliders = app.query_one(Sliders)
        place = next(place for place, slider in enumerate(sliders.sliders) if slider.is_switch)
        assert "[ ]" in text_of(sliders).split("\n")[place]
        await pilot.click(sliders, offset=(20, place))
        await wait_for(lambda: app.recipe.training.gradient_checkpointing)
        await wait_for(lambda: f"[{glyphs().tick}]" in text_of(sliders).split("\n")[place])


async def test_advice_that_is_not_seen_is_shown_before_it_is_applied(workspace):
    async with opened(workspace, story(), (80, 24)) as (app, pilot):
        await on_memory(pilot, app)
        advice = await wait_for(lambda: app.built["memory"].advice)
        start = app.recipe
        await press(pilot, "a")
        await wait_for(lambda: "What would make it smaller" in words(app))
        assert app.recipe == start
        await press(pilot, "a")
        await wait_for(lambda: app.recipe == change_recipe(start, advice[0].settings))


def test_every_stop_of_every_slider_is_a_value_that_its_knob_takes():
    for method in ("full", "lora", "houlsby", "prompt", "prefix", "oft", "vera", "peft"):
        for slider in sliders_of(story(method={"name": method}), None, None):
            assert slider.stops[slider.at] == slider.value
            for stop in slider.stops:
                slider.knob.check(stop, slider.key)


async def test_advice_is_taken_back_with_one_key_also_where_it_changed_the_method(workspace):
    async with opened(workspace, story(method={"name": "lora", "rank": 4}), (120, 36)) as (app, pilot):
        await on_memory(pilot, app)
        pane = app.built["memory"]
        await wait_for(lambda: pane.advice)
        start = app.recipe
        place = next(at for at, one in enumerate(pane.advice) if "method.name" in one.settings)
        pane.apply(place)
        await wait_for(lambda: app.recipe.method.name == "qlora")
        await press(pilot, "u")
        await wait_for(lambda: app.recipe == start)


async def test_what_another_recipe_changed_since_is_not_taken_back(workspace):
    async with opened(workspace, story(), (120, 36)) as (app, pilot):
        await on_memory(pilot, app)
        await press(pilot, "right")
        await wait_for(lambda: app.recipe.training.micro_batch == 16)
        app.edit({"training.micro_batch": 4, "training.effective_batch": 4, "method.rank": 2})
        await pilot.pause()
        now = app.recipe
        await press(pilot, "u")
        await wait_for(lambda: any("no change of this pane" in one.message for one in app._notifications))
        assert app.recipe == now


async def test_the_trace_comes_by_itself_once_and_goes_with_the_recipe(workspace):
    async with opened(workspace, story(), (120, 40), trace=True) as (app, pilot):
        await on_memory(pilot, app)
        tracer = app.built["memory"].tracer
        await wait_for(lambda: tracer.trace.state == "busy", 60)
        await press(pilot, "right")  # the next change drops it
        await wait_for(lambda: tracer.trace.state == "waiting")
        await wait_for(lambda: tracer.trace.state == "done", 200)
        kept = list((workspace.cache / "traces").iterdir())
        assert len(kept) == 1
        assert size_text(tracer.trace.traced.allocated) in words(app) and "traced" in words(app)
        app.edit({"training.learning_rate": 1e-3})  # takes the same memory
        await pilot.pause(0.3)
        assert tracer.trace.state == "done"
        await press(pilot, "t", "right")
        await wait_for(lambda: tracer.trace.state == "off")
        assert "Tracing is off" in words(app)


def doctored(app, workspace, factor):
    """A kept trace of the recipe that found so many times the formula's memory."""
    parts = {name: int(size * factor) for name, size in app.estimate.parts.items() if name != "context"}
    largest = ({"part": "activations", "what": "mul", "where": "a.b", "shape": [3, 5], "count": 2, "bytes": 10**6},)
    allocated = int(app.estimate.allocated * factor)
    traced = Traced(allocated, allocated, parts, "the backward pass", "aten.mm", "model.layers.3.mlp", largest, 2.5)
    keep_traced(traced, app.recipe, app.data_state.rows, app.device, workspace)


async def test_a_trace_that_disagrees_says_that_the_formula_does_not_cover_the_model(workspace):
    async with opened(workspace, story(), (120, 60)) as (app, pilot):
        doctored(app, workspace, 1.25)
        await on_memory(pilot, app)
        await wait_for(lambda: "The formula does not cover this architecture: it is 20% below" in words(app))
        assert "aten.mm of model.layers.3.mlp, in the backward pass" in words(app)
        assert "mul a.b" in words(app)


async def test_what_does_not_fit_by_its_trace_alone_is_asked_about_too(workspace):
    async with opened(workspace, story(), (120, 36)) as (app, pilot):
        free = int(app.estimate.process_high * 1.2)
        app.device = Device("cpu", "a small computer", free, free)
        app.edit({"method.rank": 8, "training.seed": 1})
        await wait_for(lambda: app.estimate is not None and app.estimate.device.name == "a small computer")
        assert app.estimate.verdict != "does not fit"
        doctored(app, workspace, 20)
        await press(pilot, "s")
        await wait_for(lambda: isinstance(app.screen, Question))
        assert "as the trace of the real model says" in " ".join(text_of(app.screen.query_one(".dialog")).split())


async def test_the_app_that_ends_takes_its_tracer_with_it(workspace):
    async with opened(workspace, story(), (120, 36), trace=True) as (app, pilot):
        await on_memory(pilot, app)
        await wait_for(lambda: app.built["memory"].tracer.trace.state == "busy", 60)
        helper = psutil.Process(app.helper.pid)
        tracers = await wait_for(helper.children, 60)
    await wait_for(lambda: not any(one.is_running() and one.status() != "zombie" for one in (helper, *tracers)))


async def test_the_cards_are_listed_with_their_verdicts_and_the_machine_that_is_here(workspace):
    async with opened(workspace, story(), (120, 60)) as (app, pilot):
        await on_memory(pilot, app)
        await press(pilot, "d")
        await wait_for(lambda: "B200 192 GB" in words(app))
        for card in CARDS:
            assert card.name in words(app)
        assert f"Here: {app.device.name}" in words(app)
        limits = app.built["memory"].limits
        assert f"Up to {count_text(limits.micro_batch)} rows at once" in words(app)
        assert f"The largest {limits.family} that fits with these settings: {limits.largest_model}" in words(app)


async def test_the_tree_opens_to_layers_and_adds_up_to_all_parameters(workspace):
    async with opened(workspace, story(), (120, 60)) as (app, pilot):
        await on_memory(pilot, app)
        await press(pilot, "e")
        tree = app.query_one(ParameterTree)
        await wait_for(lambda: tree.option_count)
        kinds, added = app.built["memory"].kinds()
        assert added and sum(kind.parameters for kind in kinds) == app.estimate.total_parameters
        assert sum(kind.trained for kind in kinds) == app.estimate.trainable_parameters
        before = tree.option_count
        await press(pilot, "down", "right")
        await wait_for(lambda: tree.option_count == before + len(kinds[1].modules))
        assert "layer 3" in words(app)
        await press(pilot, "left")
        await wait_for(lambda: tree.option_count == before)


async def test_calibrating_takes_two_real_steps_and_the_pane_says_how_wrong_it_was(workspace):
    async with opened(workspace, story(), (120, 60)) as (app, pilot):
        await on_memory(pilot, app)
        pane = app.built["memory"]
        await press(pilot, "c")
        await wait_for(lambda: "Step" in pane.progress, 240)
        assert "Calibrating: Step" in words(app)
        await wait_for(lambda: not pane.progress, 120)
        newest = pane.experience.compared[0]
        assert newest.name == "rehearsal" and abs(newest.error) < 0.5
        await wait_for(lambda: f"predicted {size_text(newest.predicted)}" in words(app))
        assert "tokens a second, by rehearsal" in words(app)


async def test_escape_stops_calibrating_and_no_process_goes_on(workspace):
    async with opened(workspace, story(), (120, 36)) as (app, pilot):
        await on_memory(pilot, app)
        pane = app.built["memory"]
        await press(pilot, "c")
        steps = await wait_for(lambda: app.helper.pid and psutil.Process(app.helper.pid).children(), 60)
        await press(pilot, "escape")
        await wait_for(lambda: not pane.progress)
        await wait_for(lambda: not any(one.is_running() and one.status() != "zombie" for one in steps))
        assert not pane.experience.compared and app.pane == "memory"


async def test_what_was_measured_here_moves_the_verdict(workspace):
    device = find_device()
    rehearsal = {"device": device.to_json(), "model": "tiny", "method": "lora",
                 "predicted": {"process": 400_000_000, "reserved": 1},
                 "measured": {"process": 1000 * 400_000_000, "reserved": 1}}  # fmt: skip
    async with opened(workspace, story(), (120, 36)) as (app, pilot):
        await on_memory(pilot, app)
        assert app.estimate.verdict == "fits"
        keep_rehearsal(workspace, rehearsal)
        app.look_at_device()
        await wait_for(lambda: app.estimate.verdict == "does not fit")
        await wait_for(lambda: "✗ does not fit" in words(app))


async def test_a_price_an_hour_is_typed_and_gives_the_cost_of_the_run(workspace):
    device = find_device()
    sizes = {"reserved": 1_000, "process": 1_000}
    rehearsal = {"device": device.to_json(), "model": "tiny", "method": "lora", "tokens_per_second": 100.0,
                 "predicted": sizes, "measured": sizes}  # fmt: skip
    keep_rehearsal(workspace, rehearsal)
    async with opened(workspace, story(), (120, 60)) as (app, pilot):
        await on_memory(pilot, app)
        await press(pilot, "p")
        await type_text(pilot, "1.99 EUR")
        await press(pilot, "enter")
        assert read_price(workspace) == Price(1.99, "EUR")
        await wait_for(lambda: "An hour costs 1.99 EUR" in words(app))
        seconds = app.built["memory"].known().duration.seconds
        assert seconds and f"That costs {money_text(1.99 * seconds / 3600, 'EUR')}." in words(app)
        await press(pilot, "p")
        app.focused.value = "a lot"
        await press(pilot, "enter")
        await wait_for(lambda: "A price cannot be 'a lot'" in " ".join(screen_text(app).split()))
        assert read_price(workspace) == Price(1.99, "EUR")


async def test_an_architecture_that_the_formula_was_not_held_against_is_said_to_need_a_trace(workspace, tmp_path):
    folder = tmp_path / "unknown"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({**LLAMA, "model_type": "persimmon", "architectures": None}))
    async with opened(workspace, story(model={"path": str(folder)}), (120, 36), read=False) as (app, pilot):
        await wait_for(lambda: app.estimate is not None, 120)
        await on_memory(pilot, app)
        await wait_for(lambda: "persimmon was not among those" in " ".join(words(app).split()))


async def test_a_sentence_said_again_while_it_still_stands_is_shown_once(workspace):
    async with opened(workspace, story(), (80, 24)) as (app, _):
        for _ in range(3):
            app.tell("Rank stays 8.", "warning")
        await wait_for(lambda: "Rank stays 8." in screen_text(app))
        assert screen_text(app).count("Rank stays 8.") == 1


async def test_without_a_price_no_money_is_spoken_of(workspace):
    keep_price(workspace, None)
    async with opened(workspace, story(), (120, 60)) as (app, pilot):
        await on_memory(pilot, app)
        await press(pilot, "h")
        await wait_for(lambda: "sets what an hour costs" in words(app))
        assert "That costs" not in words(app)


async def test_a_folder_with_nothing_but_a_config_is_estimated_within_fifty_milliseconds_and_not_started(
    workspace, tmp_path
):
    folder = tmp_path / "llama"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(LLAMA))
    recipe = story(model={"path": str(folder)})
    async with opened(workspace, recipe, (80, 24), read=False) as (app, pilot):
        await wait_for(lambda: app.estimate is not None, 120)
        assert app.skeleton.total_parameters == 8_030_261_248
        assert app.estimate == estimate_memory(recipe, app.skeleton, app.device)
        await on_memory(pilot, app)
        took = []
        for size in (4, 2, 1, 2, 4):
            began = time.perf_counter()
            app.edit({"training.micro_batch": size})
            app.built["memory"].draw()
            took.append(time.perf_counter() - began)
        assert min(took) < 0.05, "an edit of a large model and its drawing"
        small = Device("cpu", "a laptop", 12 * 10**9, 10 * 10**9)
        app.device = small
        app.edit({"training.micro_batch": 4})
        await press(pilot, "f")
        await wait_for(lambda: "What would make it fit" in words(app))
        await wait_for(
            lambda: app.built["memory"].advice and app.built["memory"].advice[0].change.startswith("all tog")
        )
        await press(pilot, "a")
        await wait_for(lambda: app.estimate is not None and app.estimate.verdict != "does not fit")
        await press(pilot, "s")
        await wait_for(lambda: "holds no weights" in " ".join(screen_text(app).split()))
        assert not list(workspace.runs.iterdir())


def test_sliders_end_where_the_limits_do():
    recipe = story()
    from workbench.core.memory.limits import Limits

    batch, length, *_ = sliders_of(recipe, None, Limits(12, None, None, None))
    assert batch.most == 12 and not batch.none_fits and length.none_fits
    assert dataclasses.replace(batch, value=3).at == 1


async def test_the_help_lists_the_measured_runs_that_the_estimate_was_held_against_below_the_keys(workspace):
    async with opened(workspace, story(), (120, 60)) as (app, pilot):
        await on_memory(pilot, app)
        await press(pilot, "f1")
        await wait_for(lambda: isinstance(app.screen, Explanation))
        said = app.screen.text.plain
        for table in accuracy_tables():
            assert said.index("Keys everywhere") < said.index(table.sentence)
            assert all(row.what in said for row in table.rows)
