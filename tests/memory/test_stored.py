"""Checkpoints that are quantised already: their sizes in both tiers, and sentences where they cannot be trained."""

import json

import pytest
from asking import recipe_for

from workbench.core.errors import UserError
from workbench.core.memory.device import Device
from workbench.core.memory.estimate import estimate_memory
from workbench.core.memory.row_shape import RowShape
from workbench.core.models.skeleton import skeleton_from_json
from workbench.core.models.stored import read_stored
from workbench.engine.skeletons import build_skeleton

GPU = Device("cuda", "a GPU", 80 * 2**30, 79 * 2**30)
LLAMA = {"model_type": "llama", "vocab_size": 4096, "hidden_size": 256, "intermediate_size": 704,
         "num_hidden_layers": 6, "num_attention_heads": 8, "num_key_value_heads": 2}  # fmt: skip
NF4 = {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4",
       "bnb_4bit_use_double_quant": True}  # fmt: skip
STORED = {
    "nf4": NF4,
    "some layers whole": {**NF4, "llm_int8_skip_modules": ["lm_head", "model.layers.1.mlp"]},
    "int8": {"quant_method": "bitsandbytes", "load_in_8bit": True},
    "gptq": {"quant_method": "gptq", "bits": 4, "group_size": 128},
    "awq": {"quant_method": "awq", "bits": 4, "group_size": 64},
    "fp8": {"quant_method": "fp8", "weight_block_size": [128, 128]},
}


def _model(folder, stored):
    (folder / "config.json").write_text(json.dumps({**LLAMA, "quantization_config": stored}))
    return build_skeleton(folder)


@pytest.mark.parametrize("kind", STORED)
def test_a_quantised_checkpoint_takes_the_same_in_both_tiers_and_less_than_a_whole_one(kind, tmp_path, peak_of):
    skeleton = _model(tmp_path, STORED[kind])
    recipe, rows = recipe_for(tmp_path, {"name": "lora"}, 128), RowShape(128, 128)
    closed = estimate_memory(recipe, skeleton, GPU, rows)
    traced = peak_of(recipe, rows)
    assert closed.parts["weights"] == pytest.approx(traced["parts"]["weights"], rel=0.02)
    assert closed.allocated == pytest.approx(traced["allocated"], rel=0.02)
    assert closed.parts["weights"] < 0.85 * 2 * skeleton.total_parameters
    assert skeleton_from_json(json.loads(json.dumps(skeleton.to_json()))) == skeleton


def test_a_checkpoint_in_4_bits_is_what_qlora_makes_of_a_whole_one(tmp_path):
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole" / "config.json").write_text(json.dumps(LLAMA))
    stored = estimate_memory(recipe_for(tmp_path, {"name": "lora"}), _model(tmp_path, NF4), GPU)
    made = estimate_memory(recipe_for(tmp_path / "whole", {"name": "qlora"}), build_skeleton(tmp_path / "whole"), GPU)
    assert stored.allocated == made.allocated


def test_what_cannot_be_trained_is_refused_in_a_sentence(tmp_path):
    gptq = _model(tmp_path, STORED["gptq"])
    with pytest.raises(UserError, match="stored as gptq cannot be trained in every weight"):
        estimate_memory(recipe_for(tmp_path, {"name": "full"}), gptq, GPU)
    with pytest.raises(UserError, match="stored as gptq already"):
        estimate_memory(recipe_for(tmp_path, {"name": "qlora"}), gptq, GPU)
    with pytest.raises(UserError, match="mxfp4, through which Transformers does not train"):
        read_stored({"quantization_config": {"quant_method": "mxfp4"}})
    with pytest.raises(UserError, match="whose size is not known"):
        read_stored({"quantization_config": {"quant_method": "abacus"}})
    assert read_stored({}) is None
