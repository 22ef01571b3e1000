"""A few layers traced for all of them: which ones, and that the whole model's trace is the same."""

import json

import pytest
from asking import recipe_for

from workbench.core.memory.row_shape import RowShape
from workbench.engine.trace.layers import Period, find_period

SIZES = {
    "vocab_size": 8192, "max_position_embeddings": 2048, "hidden_size": 128, "intermediate_size": 256,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32, "pad_token_id": 0,
}  # fmt: skip
MODELS = {
    "llama": {"num_hidden_layers": 9},
    "gemma2": {"num_hidden_layers": 12, "sliding_window": 64},
    "gpt2": {"n_layer": 9, "n_embd": 128, "n_head": 4, "n_positions": 2048},
    "gemma3_text": {"num_hidden_layers": 27, "sliding_window": 64},
    "opt": {"num_hidden_layers": 9, "ffn_dim": 256, "word_embed_proj_dim": 128},
    "gpt_neox": {"num_hidden_layers": 9},
    "phi3": {"num_hidden_layers": 9},
    "mistral": {"num_hidden_layers": 9, "sliding_window": 64},
    "olmo2": {"num_hidden_layers": 9},
    "mixtral": {"num_hidden_layers": 9, "num_local_experts": 4, "num_experts_per_tok": 2},
    "qwen2_moe": {"num_hidden_layers": 9, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 64,
                  "shared_expert_intermediate_size": 64},
    "qwen3_moe": {"num_hidden_layers": 9, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 64},
}  # fmt: skip

LORA = {"name": "lora"}
CHECKPOINTED = {"gradient_checkpointing": True}
QUICK = [
    ("llama", LORA, {"batch": 2}),
]
SLOW = [
    ("gemma2", {"name": "full"}, CHECKPOINTED),
    ("llama", {"name": "qlora"}, CHECKPOINTED),
    ("llama", {"name": "lora", "layers": "first 4"}, {}),
    ("llama", {"name": "lora", "layers": "last 4"}, {}),
    ("llama", {"name": "lora", "dora": True, "dropout": 0.1}, {"batch": 1}),
    ("llama", {"name": "adalora"}, {}),
    ("llama", {"name": "vera"}, {}),
    ("llama", {"name": "prompt"}, {}),
    ("llama", {"name": "full"}, {"optimizer": "adamw_8bit", "batch": 1, "effective_batch": 2}),
    ("gpt2", {"name": "full"}, {"optimizer": "adafactor"}),
    ("gemma3_text", LORA, CHECKPOINTED),
    ("opt", LORA, {}),
    ("gpt_neox", {"name": "full"}, {"autocast": False}),
    ("phi3", LORA, {}),
    ("qwen3_moe", LORA, {}),
    ("mistral", LORA, {"batch": 2}),
    ("mistral", {"name": "full"}, CHECKPOINTED),
    ("olmo2", LORA, CHECKPOINTED),
    ("mixtral", LORA, {}),
    ("mixtral", {"name": "full"}, CHECKPOINTED),
    ("qwen2_moe", LORA, {}),
    ("qwen2_moe", {"name": "full"}, {"optimizer": "adamw_8bit"}),
]


@pytest.mark.parametrize(
    ("kind", "method", "settings"), [*QUICK, *(pytest.param(*one, marks=pytest.mark.slow) for one in SLOW)]
)
def test_a_few_layers_traced_give_the_whole_models_peak_to_the_byte(kind, method, settings, tmp_path, peak_of):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind, **SIZES, **MODELS[kind]}))
    settings = dict(settings)
    size = settings.pop("effective_batch", None)
    recipe = recipe_for(tmp_path, method, 128, **settings, **({"effective_batch": size} if size else {}))
    rows = RowShape(128, 128)
    assert peak_of(recipe, rows, uneven=None) == peak_of(recipe, rows, whole=True)


@pytest.mark.parametrize(
    ("kinds", "found"),
    [
        ("A" * 32, Period(1, 1, 30)),
        ("AB" * 13, Period(2, 2, 11)),
        ("AAAAAB" * 8, Period(6, 6, 6)),
        ("BBB" + "A" * 58, Period(4, 1, 56)),
        ("AAAA", None),
        ("ABCDEFGH", None),
    ],
)
def test_the_pattern_is_found_and_a_turn_of_it_stays_before_it(kinds, found):
    assert find_period(kinds) == found


def test_layers_that_look_alike_and_are_not_are_traced_as_a_whole(tmp_path, peak_of):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama", **SIZES, "num_hidden_layers": 8}))
    recipe, rows = recipe_for(tmp_path, LORA, 64), RowShape(64, 64)
    assert peak_of(recipe, rows, uneven=True) == peak_of(recipe, rows, whole=True)
