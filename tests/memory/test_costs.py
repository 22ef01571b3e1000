"""Time and money, all parameters as a tree, changes that only together make a run fit, and PEFT's settings as knobs."""

import pytest
from asking import recipe_for

from workbench.core.errors import UserError
from workbench.core.memory.advice import advise
from workbench.core.memory.cards import card_named
from workbench.core.memory.costs import Price, keep_price, money_text, parse_price, read_price, run_tokens
from workbench.core.memory.estimate import estimate_memory
from workbench.core.memory.families import LLAMA_3, QWEN_2_5, skeleton_of_sizes
from workbench.core.memory.parameters import parameter_tree
from workbench.core.methods.peft_kinds import Setting
from workbench.core.methods.setting_knobs import setting_knob
from workbench.core.places import Workspace
from workbench.core.recipe import change_recipe

LLAMA_8B = skeleton_of_sizes(LLAMA_3[2], "llama")


@pytest.mark.parametrize(
    ("text", "price"),
    [("1.99", Price(1.99)), ("1.99 EUR", Price(1.99, "EUR")), ("$2", Price(2.0, "$")), ("", None), ("0", None)],
)
def test_a_price_is_read_as_people_write_it(text, price):
    assert parse_price(text) == price


@pytest.mark.parametrize("text", ["much", "-1", "1.99 EUR an hour", "$2 EUR", "1e999"])
def test_what_is_no_price_is_refused_in_a_sentence(text):
    with pytest.raises(UserError, match="it takes a number an hour"):
        parse_price(text)


def test_a_price_is_kept_in_the_workspace_and_taken_away_again(tmp_path):
    workspace = Workspace(tmp_path)
    keep_price(workspace, Price(3.5, "USD"))
    assert read_price(workspace) == Price(3.5, "USD") and Price(3.5).of(1800) == 1.75
    keep_price(workspace, None)
    assert read_price(workspace) is None


def test_small_amounts_keep_two_figures():
    assert [money_text(each, "EUR") for each in (12.4, 0.0021, 0)] == ["12.40 EUR", "0.0021 EUR", "0.00 EUR"]


def test_a_run_goes_through_all_rows_in_each_epoch_or_as_many_as_its_steps_take():
    report = {"usable_rows": 100, "total_tokens": 5_000}
    recipe = recipe_for("tiny")
    assert run_tokens(change_recipe(recipe, {"training.steps": None, "training.epochs": 3}), report) == 15_000
    steps = change_recipe(recipe, {"training.steps": 10, "training.micro_batch": 1, "training.effective_batch": 4})
    assert run_tokens(steps, report) == 2_000
    assert run_tokens(recipe, None) is None


@pytest.mark.parametrize("method", [{"name": "lora"}, {"name": "full"}, {"name": "houlsby"}, {"name": "prompt"}])
@pytest.mark.parametrize(("sizes", "kind"), [(LLAMA_3[2], "llama"), (QWEN_2_5[0], "qwen2")])
def test_the_tree_of_parameters_adds_up_to_the_estimate(method, sizes, kind):
    recipe, skeleton = recipe_for("tiny", method), skeleton_of_sizes(sizes, kind)
    estimate = estimate_memory(recipe, skeleton, card_named("b200").device)
    kinds = parameter_tree(skeleton, recipe.method.facts.count(skeleton, recipe.method.knobs))
    assert sum(one.parameters for one in kinds) == estimate.total_parameters
    assert sum(one.trained for one in kinds) == estimate.trainable_parameters
    for one in kinds:
        assert one.parameters == sum(module.parameters for module in one.modules)
    assert len({one.name for one in kinds}) == len(kinds)


def test_where_no_single_change_is_enough_several_together_are_the_first_advice_and_fit():
    recipe, device = recipe_for("tiny", {"name": "full"}, 2048), card_named("rtx 3060").device
    advice = advise(recipe, LLAMA_8B, device)
    assert all(one.verdict == "does not fit" for one in advice[1:])
    assert advice[0].change.startswith("all together: ")
    then = estimate_memory(change_recipe(recipe, advice[0].settings), LLAMA_8B, device)
    now = estimate_memory(recipe, LLAMA_8B, device)
    assert then.verdict == advice[0].verdict != "does not fit"
    assert advice[0].memory == now.reserved - then.reserved


@pytest.mark.parametrize(
    ("accepts", "default", "good", "bad"),
    [
        ("int", 8, 4, -1), ("float", 0.0, 0.5, "much"), ("bool", False, True, 3), ("Optional[int]", None, None, "x"),
        ("Literal['none', 'all']", "none", "all", "some"), ("bool | Literal['gaussian']", True, "gaussian", "other"),
        ("Optional[Union[list[str], str]]", None, ["q_proj"], 3), ("Union[LoftQConfig, dict]", {}, {"a": 1}, 3),
        ("<class 'float'>", 0.85, 1.0, "x"), ("int", -1, -1, 0.5),
    ],
)  # fmt: skip
def test_a_setting_of_peft_takes_what_its_type_says_and_nothing_else(accepts, default, good, bad):
    knob = setting_knob(Setting("setting", "what it is", default, accepts))
    assert knob.check(default, "setting") == default and knob.check(good, "setting") == good
    with pytest.raises(UserError):
        knob.check(bad, "setting")
