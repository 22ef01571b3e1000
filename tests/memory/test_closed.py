"""The closed form against the trace on small models, where PyTorch, Transformers and PEFT each have ways of their own."""

import json

import pytest
from asking import recipe_for

from workbench.core.memory.device import Device
from workbench.core.memory.estimate import estimate_memory
from workbench.core.memory.loop import Loop
from workbench.core.memory.row_shape import RowShape
from workbench.engine.skeletons import build_skeleton

GPU = Device("cuda", "a GPU", 80 * 2**30, 79 * 2**30)
CHECKPOINTED = {"gradient_checkpointing": True}
WIDE = {"precision": "float32", "autocast": True}
PLAIN = {"autocast": False}
QLORA = {"name": "qlora"}

QUICK = {
    "a quantised layer computes in the base's numbers in mixed precision, too": ("llama", QLORA, WIDE),
    "a LayerNorm's float32 goes through quantised layers in mixed precision": ("gpt2", QLORA, {}),
    "PEFT's layers over quantised ones share their input in mixed precision": ("llama", QLORA, {"batch": 2}),
    "behind a whole block an adapter is not computed again": ("opt", {"name": "pfeiffer"}, CHECKPOINTED),
    "a prefix stays in the cache until the loss is there": ("opt", {"name": "prefix", "virtual_tokens": 512}, WIDE),
    "the weight's norms of DoRA are written out": (
        "llama",
        {"name": "lora", "dora": True, "dropout": 0.1},
        CHECKPOINTED,
    ),
    "small states are not paged": ("gpt2", {"name": "lora"}, {"optimizer": "paged_adamw_8bit", **CHECKPOINTED}),
}
SLOW = {
    "adapters in the base's numbers over ReLU": ("opt", {"name": "lora"}, {**PLAIN, "adapters": "base"}),
    "a fused product is cut into its parts": ("gpt2", {"name": "llama-adapter"}, {"precision": "float32", **PLAIN}),
    "the count of AdaLoRA's ranks takes no gradient": ("llama", {"name": "adalora"}, PLAIN),
    "a tied embedding's first gradient waits for the second": ("gpt2", {"name": "full"}, {"optimizer": "sgd", **CHECKPOINTED}),
    "eager attention keeps every score": ("gpt_neox", {"name": "full"}, {"attention": "eager"}),
    "the input of a frozen thin matrix is not kept": ("qwen3", {"name": "vera", "dropout": 0.1}, {}),
    "a base that fills with float32 around 8 bits": ("gpt_neox", {**QLORA, "quantisation": "int8"}, {}),
}  # fmt: skip


@pytest.mark.parametrize("why", [*QUICK, *(pytest.param(one, marks=pytest.mark.slow) for one in SLOW)])
def test_the_closed_form_is_within_one_percent_of_the_trace(why, models, peak_of):
    kind, method, given = {**QUICK, **SLOW}[why]
    settings = dict(given)
    loop = {"adapters": settings.pop("adapters")} if "adapters" in settings else {}
    _compare(models / kind, method, settings, loop, peak_of)


@pytest.mark.parametrize("settings", [{}, CHECKPOINTED], ids=["kept", "computed again"])
def test_a_fusion_keeps_what_its_frozen_adapters_say_of_each_token(settings, models, peak_of, tmp_path):
    sources = []
    for name in ("one", "other"):
        folder = tmp_path / name
        folder.mkdir()
        config = {
            "peft_type": "BOTTLENECK", "placement": "pfeiffer", "width": 256, "bottleneck_size": 16, "dropout": 0.0,
            "non_linearity": "relu", "target_modules": [f"model.layers.{layer}" for layer in range(4)],
        }  # fmt: skip
        (folder / "adapter_config.json").write_text(json.dumps(config))
        (folder / "adapter_model.safetensors").touch()  # a trace reads no values
        sources.append(str(folder))
    _compare(models / "llama", {"name": "fusion", "adapters": sources}, settings, {}, peak_of)


BENCHMARK = {"every_logit": True, "keeps_outputs": True, "caches": True, "for_each": True}
"""The loop of PEFT's own benchmark, which lets the model make a cache of keys and values, and holds on to it."""

OF_PEFT = {
    "PREFIX_TUNING": {"num_virtual_tokens": 64},
    "PROMPT_TUNING": {"num_virtual_tokens": 64},
    "ADAPTION_PROMPT": {"adapter_len": 16, "adapter_layers": 3},
    "LORA": {"r": 8, "target_modules": ["q_proj", "v_proj"]},
    "IA3": {},
}


@pytest.mark.parametrize(
    "kind", ["PREFIX_TUNING", *(pytest.param(one, marks=pytest.mark.slow) for one in list(OF_PEFT)[1:])]
)
def test_an_adapter_config_in_another_loop_is_counted_as_it_is_traced(kind, models, peak_of, tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "home"))
    (tmp_path / "adapter_config.json").write_text(json.dumps({"peft_type": kind, **OF_PEFT[kind]}))
    method = {"name": "peft", "config": str(tmp_path)}
    _compare(models / "llama", method, {"batch": 2, **PLAIN}, BENCHMARK, peak_of)


SIZES = {
    "vocab_size": 4096, "hidden_size": 256, "intermediate_size": 704, "num_hidden_layers": 5, "num_attention_heads": 8,
    "num_key_value_heads": 2, "pad_token_id": 0,
}  # fmt: skip
ARCHITECTURES = {
    "mistral": {"sliding_window": 64},
    "gemma3_text": {"sliding_window": 64, "num_hidden_layers": 7, "head_dim": 32},
    "olmo2": {},
    "cohere": {},
    "stablelm": {},
    "phi3": {},
    "granite": {},
    "starcoder2": {},
}


@pytest.mark.slow
@pytest.mark.parametrize("method", [{"name": "lora", "targets": "attention"}, {"name": "full"}])
@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_norms_windows_and_joined_heads_are_counted_as_each_architecture_has_them(kind, method, tmp_path, peak_of):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind, **SIZES, **ARCHITECTURES[kind]}))
    _compare(tmp_path, method, {"batch": 2, **PLAIN}, {}, peak_of)


def _compare(folder, method, settings, loop, peak_of):
    values = dict(settings)
    attention = values.pop("attention", "auto")
    recipe, rows = recipe_for(folder, method, 512, attention=attention, **values), RowShape(512, 512)
    closed = estimate_memory(recipe, build_skeleton(folder), GPU, rows, Loop(**loop))
    assert closed.allocated == pytest.approx(peak_of(recipe, rows, loop=loop)["allocated"], rel=0.01)
