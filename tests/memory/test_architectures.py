"""Folders with nothing but a config.json of less common architectures: a number that holds, or one plain sentence."""

import json

import pytest
from asking import recipe_for

from workbench.core.memory.device import Device
from workbench.core.memory.estimate import estimate_memory
from workbench.core.memory.row_shape import RowShape
from workbench.core.memory.traced import caution
from workbench.engine.skeletons import build_skeleton

GPU = Device("cuda", "a GPU", 80 * 2**30, 79 * 2**30)
SIZES = {
    "vocab_size": 4096, "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 5, "num_attention_heads": 8,
    "num_key_value_heads": 4, "pad_token_id": 0,
}  # fmt: skip
EXPERTS = {"num_experts_per_tok": 2, "num_experts": 8, "num_local_experts": 8, "moe_intermediate_size": 128}
COUNTED = {
    "mixtral": EXPERTS,
    "qwen3_moe": EXPERTS,
    "qwen2_moe": {**EXPERTS, "shared_expert_intermediate_size": 256},
    "mistral": {},
    "olmo2": {},
    "gpt_bigcode": {"n_embd": 256, "n_layer": 5, "n_head": 8, "n_positions": 2048, "max_position_embeddings": 2048},
}
OTHERS = {
    "llama4_text": {**EXPERTS, "intermediate_size_mlp": 512, "head_dim": 32},
    "gpt_oss": {**EXPERTS, "head_dim": 32},
    "falcon": {"multi_query": True},
    "bloom": {"n_layer": 5, "n_head": 8},
}


@pytest.mark.slow
@pytest.mark.parametrize("method", [{"name": "lora", "targets": "attention"}, {"name": "full"}])
@pytest.mark.parametrize("kind", [*COUNTED, *OTHERS])
def test_what_the_formula_is_said_to_cover_it_does_and_of_the_rest_it_warns(kind, method, tmp_path, peak_of):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind, **SIZES, **{**COUNTED, **OTHERS}[kind]}))
    recipe, rows, skeleton = recipe_for(tmp_path, method, 512), RowShape(512, 512), build_skeleton(tmp_path)
    closed, traced = estimate_memory(recipe, skeleton, GPU, rows), peak_of(recipe, rows)
    warned = caution(skeleton, recipe)
    if kind in OTHERS:
        assert warned is not None and kind in warned
        assert traced["parts"]["weights"] == pytest.approx(closed.parts["weights"], rel=0.02)
    else:
        assert warned is None
        assert closed.allocated == pytest.approx(traced["allocated"], rel=0.04)
