"""Skeletons from configs alone, compared with the models that Transformers really builds."""

from __future__ import annotations

import json

import pytest
from torch import nn
from transformers import CONFIG_MAPPING, AutoModelForCausalLM
from transformers.pytorch_utils import Conv1D

from workbench.core.errors import UserError
from workbench.core.models.skeleton import CONV1D, EMBEDDING, NORM, skeleton_from_json
from workbench.core.places import tiny_folder
from workbench.engine.skeletons import build_skeleton, main

SMALL = {"vocab_size": 320, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}

ARCHITECTURES = {
    "llama": {"intermediate_size": 48, "num_key_value_heads": 2, "head_dim": 8, "tie_word_embeddings": True},
    "llama untied": {"intermediate_size": 48, "num_key_value_heads": 4, "attention_bias": True},
    "qwen2": {"intermediate_size": 48, "num_key_value_heads": 2},
    "qwen3": {"intermediate_size": 48, "num_key_value_heads": 2, "head_dim": 16},
    "mistral": {"intermediate_size": 48, "num_key_value_heads": 2},
    "gemma": {"intermediate_size": 48, "num_key_value_heads": 1, "head_dim": 16},
    "gemma2": {"intermediate_size": 48, "num_key_value_heads": 1, "head_dim": 16},
    "gemma3_text": {"intermediate_size": 48, "num_key_value_heads": 1, "head_dim": 16},
    "phi": {"intermediate_size": 48},
    "phi3": {"intermediate_size": 48, "pad_token_id": 0},
    "gpt2": {},
    "gpt_neox": {"intermediate_size": 48},
    "gptj": {"rotary_dim": 4},
    "opt": {"ffn_dim": 48, "word_embed_proj_dim": 32},
    "falcon": {},
    "bloom": {},
    "olmo2": {"intermediate_size": 48},
    "stablelm": {"intermediate_size": 48, "num_key_value_heads": 4},
    "mixtral": {"intermediate_size": 48, "num_key_value_heads": 2, "num_local_experts": 2},
}


def config_of(name):
    return CONFIG_MAPPING[name.split()[0]](**{**SMALL, **ARCHITECTURES[name]})


@pytest.fixture(params=ARCHITECTURES)
def built(request):
    config = config_of(request.param)
    return config, AutoModelForCausalLM.from_config(config), build_skeleton(config)


def test_total_parameters_are_the_built_model_s_unique_parameters(built):
    _, model, skeleton = built
    assert skeleton.total_parameters == sum({id(p): p.numel() for p in model.parameters()}.values())


def test_linear_layers_have_the_sizes_of_the_built_model(built):
    _, model, skeleton = built
    real = dict(model.named_modules())
    listed = {module.name: module for module in skeleton.modules if module.is_linear}
    assert set(listed) == {name for name, module in real.items() if isinstance(module, (nn.Linear, Conv1D))}
    for name, module in listed.items():
        weight = real[name].weight
        stored = (module.in_features, module.out_features)
        assert stored == (tuple(weight.shape) if module.kind == CONV1D else tuple(reversed(weight.shape)))
        assert module.has_bias == (real[name].bias is not None)


def test_every_listed_parameter_has_its_real_shape(built):
    _, model, skeleton = built
    real = dict(model.named_parameters())
    for module in skeleton.modules:
        for key, shape in module.parameters:
            assert tuple(real[f"{module.name}.{key}"].shape) == shape


def test_the_output_layer_is_named_and_a_tied_one_has_no_parameters(built):
    _, model, skeleton = built
    output = model.get_output_embeddings()
    assert dict(model.named_modules())[skeleton.output_layer] is output
    assert skeleton.tied == (output.weight is model.get_input_embeddings().weight)
    module = next(module for module in skeleton.modules if module.name == skeleton.output_layer)
    assert (module.size == 0) == skeleton.tied
    assert module not in skeleton.linear_layers


def test_sizes_are_the_config_s(built):
    config, _, skeleton = built
    assert (skeleton.layers, skeleton.hidden_size, skeleton.heads, skeleton.vocabulary) == (2, 32, 4, 320)
    assert skeleton.model_type == config.model_type
    assert skeleton.intermediate_size in (48, 128)
    blocks = {module.layer for module in skeleton.linear_layers}
    assert blocks == {0, 1}
    kinds = {module.kind for module in skeleton.modules}
    assert {EMBEDDING, NORM} <= kinds


def test_key_value_heads_are_those_of_the_built_projections(built):
    _, _, skeleton = built
    keys = next((m for m in skeleton.linear_layers if m.leaf in ("k_proj", "query_key_value", "qkv_proj")), None)
    if keys is None:
        assert skeleton.key_value_heads == skeleton.heads
        return
    size = skeleton.key_value_heads * skeleton.head_dim
    queries = skeleton.heads * skeleton.head_dim
    assert keys.out_features == (size if keys.leaf == "k_proj" else queries + 2 * size)


def test_a_model_of_seventy_billion_parameters_needs_no_memory():
    config = CONFIG_MAPPING["llama"](
        hidden_size=8192, intermediate_size=28672, num_hidden_layers=80, num_attention_heads=64, num_key_value_heads=8,
        vocab_size=128256,
    )  # fmt: skip
    assert build_skeleton(config).total_parameters == 70_553_706_496


def test_the_shipped_skeleton_is_the_one_that_is_built():
    shipped = json.loads((tiny_folder() / "skeleton.json").read_text())
    built = build_skeleton(tiny_folder())
    assert shipped == json.loads(json.dumps(built.to_json()))
    assert skeleton_from_json(shipped) == built


def test_the_command_writes_the_skeleton_and_refuses_other_folders(tmp_path, capsys):
    config_of("qwen2").save_pretrained(tmp_path)
    assert main([str(tmp_path)]) == 0
    assert skeleton_from_json(json.loads((tmp_path / "skeleton.json").read_text())) == build_skeleton(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "no-such-model"}')
    assert main([str(tmp_path)]) == 2
    assert main([]) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert "cannot read" in said


def test_a_model_that_is_no_language_model_is_refused_in_a_sentence():
    with pytest.raises(UserError, match="cannot be built as a causal language model"):
        build_skeleton(CONFIG_MAPPING["vit"]())
