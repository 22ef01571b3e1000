"""Default learning rates: what is published comes out, and matrices fall with the width while vectors do not."""

import pytest
from test_counts import linear, skeleton_of

from workbench.core.methods import METHODS
from workbench.core.methods.rates import scaled_rate
from workbench.core.recipe import recipe_from_mapping

MATRICES = ("full", "lora", "qlora", "houlsby", "pfeiffer", "parallel", "fusion", "adalora", "miss")


def wide(width, model_type="llama"):
    return skeleton_of([linear("layers.0.w", width, width)], 1, width, model_type=model_type)


@pytest.mark.parametrize(
    ("width", "model_type", "rate"),
    [
        (2000, "llama", 5e-4),
        (4096, "llama", 2.9e-4),
        (2048, "qwen3", 5e-4),
        (4096, "qwen2", 4.7e-4),
        (128, "llama", 4.3e-3),
    ],
)
def test_loras_rate_is_that_of_lora_without_regret(width, model_type, rate):
    assert METHODS["lora"].rate_on(wide(width, model_type)) == pytest.approx(rate)
    assert METHODS["full"].rate_on(wide(width, model_type)) == pytest.approx(rate / 10, rel=0.02)


@pytest.mark.parametrize("name", METHODS)
def test_matrices_want_smaller_steps_on_wider_models_and_vectors_do_not(name):
    method = METHODS[name]
    narrow, broad = method.rate_on(wide(128)), method.rate_on(wide(8192))
    assert (narrow > broad) == (name in MATRICES)
    assert method.rate_on(None) == method.learning_rate == method.rate_on(wide(2000))


def test_a_rate_in_the_recipe_is_taken_as_it_is():
    given = recipe_from_mapping({"training": {"learning_rate": 0.123}})
    assert given.learning_rate_on(wide(128)) == given.learning_rate_on(None) == 0.123
    assert recipe_from_mapping({}).learning_rate_on(wide(128)) == scaled_rate(5e-4, wide(128))
