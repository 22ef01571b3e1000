"""Kinds of adapters that ask for values, tasks, packages or sparse matrices: traced all the same."""

import pytest
from asking import recipe_for

from workbench.core.memory.row_shape import RowShape

ROWS = RowShape(128, 128)
PROJECTIONS = {"target_modules": ["q_proj", "v_proj"]}


def traced(kind, models, peak_of, loop=None, **settings):
    virtual = "PROMPT" in kind or kind == "SHADOW"
    method = {"name": "peft", "kind": kind, "settings": settings if virtual else {**PROJECTIONS, **settings}}
    recipe = recipe_for(models / "llama", method, 128, batch=2, autocast=False, precision="bfloat16")
    return peak_of(recipe, ROWS, loop=loop)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("POLY", {}),
        ("MULTITASK_PROMPT_TUNING", {"num_virtual_tokens": 4}),
        ("FROD", {}),
        ("ADAMSS", {}),
        ("ADALORA", {}),
        ("SHADOW", {}),
        ("LORA", {"alora_invocation_tokens": [5, 6]}),
    ],
)
def test_a_kind_that_asks_for_more_than_shapes_is_traced(kind, settings, models, peak_of):
    found = traced(kind, models, peak_of, **settings)
    assert found["parts"]["adapters"] > 0
    assert found["parts"]["optimizer"] > 0
    assert found["reserved"] >= found["allocated"]


@pytest.mark.parametrize("start", ["pissa", "olora", "corda", "lora_ga", "loftq", "eva"])
def test_lora_that_starts_from_weights_or_data_takes_what_plain_lora_takes(start, models, peak_of):
    assert traced("LORA", models, peak_of, init_lora_weights=start) == traced("LORA", models, peak_of)


def test_a_prompt_that_starts_from_text_is_traced_without_a_tokenizer(models, peak_of):
    random = {"num_virtual_tokens": 4}
    text = {**random, "prompt_tuning_init": "TEXT", "prompt_tuning_init_text": "Say", "tokenizer_name_or_path": "no/ne"}
    assert traced("PROMPT_TUNING", models, peak_of, **text) == traced("PROMPT_TUNING", models, peak_of, **random)


def test_a_method_that_does_not_fit_a_model_is_refused_in_a_sentence(tmp_path, peak_of):
    (tmp_path / "config.json").write_text(
        '{"model_type": "mamba", "vocab_size": 512, "hidden_size": 64, "num_hidden_layers": 2, "state_size": 8}'
    )
    with pytest.raises(AssertionError, match=r"UserError: LoRA does not fit this model: .*Mamba"):
        peak_of(recipe_for(tmp_path, {"name": "lora"}, 16), RowShape(16, 16))
