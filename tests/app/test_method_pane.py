"""The method pane: methods, knobs as a form, what is refused, and the count that moves."""

from __future__ import annotations

import pytest
from driving import opened, press, screen_text, story, text_of, type_text
from hypothesis import given
from hypothesis import strategies as st
from on_method import on_method, row
from textual import events
from textual.widgets import Input
from waiting import wait_for

from workbench.app.panes.method.methods import MethodList
from workbench.app.screens.explanation import Explanation
from workbench.app.widgets.fields import ChoiceField, NumberField, SwitchField
from workbench.app.widgets.stepping import is_number, next_value
from workbench.app.widgets.values import parse_value, value_text
from workbench.core.knobs import knobs_of
from workbench.core.methods import METHODS
from workbench.core.recipe import DataSection, TrainingSection


@pytest.mark.parametrize("size", [(160, 45), (120, 36), (80, 24), (60, 20)])
async def test_it_says_what_the_method_is_and_what_it_trains(workspace, size):
    async with opened(workspace, story(), size) as (app, pilot):
        await on_method(pilot, app)
        shown = " ".join(text_of(app.built["method"]).replace("│", " ").split())
        assert METHODS["lora"].what[:40] in shown
        assert "LoRA" in shown and "78,848" in shown
        assert "of 1,276,032 parameters are trained, 6.2%" in shown


async def test_every_method_is_listed_with_what_it_would_train_on_this_model(workspace):
    async with opened(workspace, story(), (120, 60)) as (app, pilot):
        await on_method(pilot, app)
        lines = [str(option.prompt) for option in app.query_one(MethodList).options]
        assert len(lines) == len(METHODS)
        for line, method in zip(lines, METHODS.values(), strict=True):
            assert method.title in line
            values = {name: knob.default for name, knob in knobs_of(method.knobs).items()}
            reason = method.reason_against(app.skeleton, values)
            if reason:
                assert ("needs " if "method." in reason else "does not fit: ") in line
            else:
                assert f"{method.count(app.skeleton, values).total:,}" in line


async def test_choosing_a_method_shows_its_own_knobs_and_forgets_the_others(workspace):
    async with opened(workspace, story(), (120, 45)) as (app, pilot):
        await on_method(pilot, app)
        await press(pilot, "up", "enter")
        await wait_for(lambda: app.recipe.method.name == "full")
        await wait_for(lambda: METHODS["full"].equation[:20] in screen_text(app))
        assert "1,197,184" in text_of(app.query_one("TopLine"))
        await press(pilot, "down", "down", "space")
        await wait_for(lambda: app.recipe.method.name == "qlora")
        await wait_for(lambda: "method.quantisation" in [found.key for found in app.query("KnobRow")])


async def test_the_form_has_one_field_for_every_knob_of_every_method(workspace):
    async with opened(workspace, story(), (120, 45), read=False) as (app, pilot):
        await on_method(pilot, app)
        for name, method in METHODS.items():
            app.edit({"method.name": name})
            await pilot.pause()
            assert app.recipe.method.name == name
            keys = {f"method.{knob}" for knob in knobs_of(method.knobs)}
            await wait_for(lambda keys=keys: {found.key for found in app.query("#method-knobs KnobRow")} == keys)
            await wait_for(lambda: all(found.field.region.width > 0 for found in app.query("#method-knobs KnobRow")))
            for found in app.query("#method-knobs KnobRow"):
                assert found.explain(), found.key


async def test_plus_and_minus_change_a_number_and_the_count_moves_at_once(workspace):
    async with opened(workspace, story(), (120, 45)) as (app, pilot):
        await on_method(pilot, app)
        row(app, "method.rank").field.focus()
        await press(pilot, "plus")
        assert app.recipe.method.knobs["rank"] == 16
        await wait_for(lambda: "157,696" in text_of(app.built["method"].trainable))
        await press(pilot, "minus", "minus")
        assert app.recipe.method.knobs["rank"] == 4
        await wait_for(lambda: "39,424" in text_of(app.built["method"].trainable))


async def test_a_typed_number_counts_at_every_key(workspace):
    async with opened(workspace, story(), (120, 45)) as (app, pilot):
        await on_method(pilot, app)
        row(app, "method.rank").field.focus()
        await press(pilot, "1")
        assert app.recipe.method.knobs["rank"] == 1
        await press(pilot, "2")
        assert app.recipe.method.knobs["rank"] == 12


async def test_a_letter_in_a_number_field_is_the_key_that_it_is_elsewhere(workspace):
    async with opened(workspace, story(), (120, 45)) as (app, pilot):
        await on_method(pilot, app)
        row(app, "method.rank").field.focus()
        await press(pilot, "question_mark")
        await wait_for(lambda: isinstance(app.screen, Explanation))
        await press(pilot, "escape")
        assert app.recipe.method.knobs["rank"] == 8
        assert row(app, "method.rank").field.value == "8"


async def test_a_learning_rate_is_typed_with_an_exponent_and_its_default_is_shown(workspace):
    async with opened(workspace, story(), (120, 45)) as (app, pilot):
        await on_method(pilot, app)
        field = row(app, "training.learning_rate").field
        assert field.placeholder == "0.0043 (default)"
        field.focus()
        await type_text(pilot, "3e-3")
        assert app.recipe.training.learning_rate == 3e-3
        await press(pilot, "plus")
        assert app.recipe.training.learning_rate == pytest.approx(5e-3)
        field.value = ""
        await pilot.pause()
        assert app.recipe.training.learning_rate is None


async def test_plus_on_an_empty_learning_rate_begins_at_the_methods_own(workspace):
    async with opened(workspace, story(), (120, 45)) as (app, pilot):
        await on_method(pilot, app)
        row(app, "training.learning_rate").field.focus()
        await press(pilot, "plus")
        assert app.recipe.training.learning_rate == pytest.approx(5e-3)


IMPOSSIBLE = [
    ("method.rank", "0", "method.rank cannot be 0"),
    ("method.rank", "abc", "method.rank cannot be 'abc'"),
    ("method.rank", "9999", "so its rank is at most"),
    ("method.rank", "", "method.rank cannot be ''"),
    ("method.dropout", "1.5", "method.dropout cannot be 1.5"),
    ("training.steps", "-3", "training.steps cannot be"),
    ("training.micro_batch", "3", "a multiple of training.micro_batch"),
    ("training.learning_rate", "0", "training.learning_rate cannot be 0"),
]


async def test_an_impossible_value_is_refused_under_its_knob_and_the_old_one_stays(workspace):
    async with opened(workspace, story(), (120, 45)) as (app, pilot):
        await on_method(pilot, app)
        start = app.recipe
        for key, typed, sentence in IMPOSSIBLE:
            found = row(app, key)
            found.field.focus()
            await pilot.pause()
            found.field.value = typed
            await pilot.pause()
            assert app.recipe == start, (key, typed)  # 8 is the effective batch, and 3 does not divide it
            assert sentence in found.wrong
            app.clear_notifications()
            await pilot.pause()
            assert sentence[:24] in " ".join(text_of(found).split())
            await press(pilot, "tab")
            assert app.recipe == start, (key, typed)
            assert found.wrong == ""
            section = start.method.knobs if key.startswith("method.") else vars_of(start.training)
            assert parse_value(found.knob, found.field.value) == section[key.partition(".")[2]]


async def test_escape_as_a_terminal_sends_it_takes_back_what_was_typed_and_stays(workspace):
    async with opened(workspace, story(), (80, 24)) as (app, pilot):
        await on_method(pilot, app)
        field = row(app, "method.rank").field
        field.focus()
        await pilot.pause()
        field.value = "0"
        await wait_for(lambda: row(app, "method.rank").wrong)
        app.screen.post_message(events.Key("escape", "\x1b"))
        await wait_for(lambda: field.value == "8")
        assert app.pane == "method" and row(app, "method.rank").wrong == ""


def vars_of(section):
    return {name: getattr(section, name) for name in knobs_of(TrainingSection)}


async def test_targets_that_the_model_does_not_have_are_refused_with_the_names_that_it_has(workspace):
    async with opened(workspace, story(), (120, 45)) as (app, pilot):
        await on_method(pilot, app)
        found = row(app, "method.targets")
        found.field.focus()
        found.field.value = "c_attn"
        await press(pilot, "enter")
        assert "q_proj" in found.wrong
        assert app.recipe.method.knobs["targets"] == "all-linear"
        found.field.value = "q+v"
        await press(pilot, "enter")
        assert app.recipe.method.knobs["targets"] == "q+v"


async def test_the_micro_batch_steps_together_with_the_effective_batch(workspace):
    async with opened(workspace, story(), (120, 45)) as (app, pilot):
        await on_method(pilot, app)
        row(app, "training.micro_batch").field.focus()
        await press(pilot, "plus")
        assert (app.recipe.training.micro_batch, app.recipe.training.effective_batch) == (16, 16)
        await press(pilot, "minus", "minus")
        assert (app.recipe.training.micro_batch, app.recipe.training.effective_batch) == (4, 16)


async def test_a_choice_goes_on_by_plus_and_is_listed_by_enter_and_a_switch_turns(workspace):
    async with opened(workspace, story(), (120, 45)) as (app, pilot):
        await on_method(pilot, app)
        field = row(app, "training.precision").field
        assert isinstance(field, ChoiceField)
        field.focus()
        await press(pilot, "plus")
        assert app.recipe.training.precision == "float32"
        await press(pilot, "enter", "down", "enter")
        await wait_for(lambda: app.recipe.training.precision == "bfloat16")
        switch = row(app, "training.gradient_checkpointing").field
        assert isinstance(switch, SwitchField)
        switch.focus()
        await press(pilot, "space")
        assert app.recipe.training.gradient_checkpointing is True
        await pilot.click(switch)
        await wait_for(lambda: app.recipe.training.gradient_checkpointing is False)


async def test_a_choice_opens_by_a_click_and_escape_leaves_it_as_it_was(workspace):
    async with opened(workspace, story(), (120, 45)) as (app, pilot):
        await on_method(pilot, app)
        field = row(app, "training.precision").field
        field.scroll_visible(animate=False)
        await pilot.pause()
        await pilot.click(field)
        await wait_for(lambda: "bfloat16" in screen_text(app))
        await press(pilot, "escape")
        assert app.recipe.training.precision == "auto"
        assert app.pane == "method"


async def test_m_shows_the_other_training_knobs_and_hides_them_again(workspace):
    async with opened(workspace, story(), (120, 45)) as (app, pilot):
        await on_method(pilot, app)
        await press(pilot, "m")
        await wait_for(lambda: app.query("#more-knobs"))
        keys = {found.key for found in app.built["method"].query("KnobRow")}
        assert {f"training.{name}" for name in knobs_of(TrainingSection)} <= keys
        row(app, "training.seed").field.focus()
        await press(pilot, "7")
        assert app.recipe.training.seed == 7
        await press(pilot, "ctrl+o")
        await wait_for(lambda: not app.query("#more-knobs"))


async def test_d_sets_every_knob_back(workspace):
    recipe = story(method={"name": "lora", "rank": 2, "dropout": 0.5}, training={"steps": 3, "schedule": "constant"})
    async with opened(workspace, recipe, (120, 45)) as (app, pilot):
        await on_method(pilot, app)
        await press(pilot, "d")
        await wait_for(lambda: app.recipe.method.knobs["rank"] == 8)
        assert app.recipe.training == TrainingSection()


async def test_a_method_that_does_not_fit_the_model_says_so_and_does_not_start(workspace):
    async with opened(workspace, story(), (120, 45)) as (app, pilot):
        await on_method(pilot, app)
        app.edit({"method.rank": 500})
        await wait_for(
            lambda: "so its rank is at most" in " ".join(text_of(app.built["method"]).replace("│", " ").split())
        )
        assert app.estimate is None
        await press(pilot, "f9")
        assert not list(workspace.runs.iterdir())


async def test_up_and_down_move_between_fields(workspace):
    async with opened(workspace, story(), (120, 45)) as (app, pilot):
        await on_method(pilot, app)
        row(app, "method.rank").field.focus()
        await press(pilot, "down")
        assert app.focused is row(app, "method.alpha").field
        await press(pilot, "up")
        assert app.focused is row(app, "method.rank").field
        assert isinstance(app.focused, Input)


NUMBERS = [
    knob
    for section in (TrainingSection, *(method.knobs for method in METHODS.values()))
    for knob in knobs_of(section).values()
    if is_number(knob)
]


@given(st.sampled_from(NUMBERS), st.floats(0, 1), st.booleans())
def test_a_step_is_always_a_value_that_the_knob_takes(knob, place, up):
    low = knob.low if knob.low is not None else (knob.above or 0) + 0.001
    high = knob.high if knob.high is not None else 1000
    value = low + (min(high, low + 10_000) - low) * place
    value = float(value) if float in knob.kinds else round(value)
    found = next_value(knob, value, up)
    knob.check(found, knob.name)
    assert found >= value if up else found <= value


@given(st.sampled_from(NUMBERS), st.floats(0.001, 1e6) | st.integers(1, 10**9))
def test_a_number_that_is_shown_reads_back_as_itself(knob, value):
    text = value_text(float(value) if float in knob.kinds else int(value))
    again = parse_value(knob, text)
    assert again == pytest.approx(float(value) if float in knob.kinds else int(value), rel=1e-5)


@pytest.mark.parametrize(
    ("key", "value"),
    [("mix", {"facts": 0.5, "sentiment": 2}), ("mapping", {"prompt": "0", "answer": "reply"}), ("leave_out", [3, "secret"]),
     ("mix", {}), ("leave_out", []), ("filter", None), ("held_out", 0.25), ("held_out", "other.jsonl")],
)  # fmt: skip
def test_lists_and_mappings_that_are_shown_read_back_as_themselves(key, value):
    assert parse_value(knobs_of(DataSection)[key], value_text(value)) == value


def test_number_fields_are_fields_for_numbers_only():
    assert issubclass(NumberField, Input)
    assert all(not knob.choices for knob in NUMBERS)
