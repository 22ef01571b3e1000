"""The memory estimate: against traced peaks, and against itself."""

import pytest

from workbench.core.errors import UserError
from workbench.core.memory.advice import advise
from workbench.core.memory.device import Device, find_device
from workbench.core.memory.estimate import estimate_memory
from workbench.core.memory.row_shape import RowShape
from workbench.core.models.skeleton import Module, Skeleton
from workbench.core.models.stored import of_bitsandbytes
from workbench.core.recipe import recipe_from_mapping

GIB = 2**30
H100 = Device("cuda", "a GPU", 80 * GIB, 79 * GIB)


def llama(hidden, inner, layers, vocabulary, heads, groups, head, tied, bias=False) -> Skeleton:
    """A Llama-like skeleton from its sizes."""
    modules = [Module("model.embed_tokens", "Embedding", (("weight", (vocabulary, hidden)),))]
    query, pair = heads * head, groups * head
    shapes = {"q_proj": (hidden, query), "k_proj": (hidden, pair), "v_proj": (hidden, pair), "o_proj": (query, hidden)}
    shapes |= {"gate_proj": (hidden, inner), "up_proj": (hidden, inner), "down_proj": (inner, hidden)}
    for layer in range(layers):
        for name, (wide, out) in shapes.items():
            own = [("weight", (out, wide))] + (
                [("bias", (out,))] if bias and name in ("q_proj", "k_proj", "v_proj") else []
            )
            place = "self_attn" if name[0] in "qkvo" else "mlp"
            modules.append(Module(f"model.layers.{layer}.{place}.{name}", "Linear", tuple(own), wide, out))
        for name in ("input_layernorm", "post_attention_layernorm"):
            modules.append(Module(f"model.layers.{layer}.{name}", "Norm", (("weight", (hidden,)),)))
    modules.append(Module("model.norm", "Norm", (("weight", (hidden,)),)))
    head_weight = () if tied else (("weight", (vocabulary, hidden)),)
    modules.append(Module("lm_head", "Linear", head_weight, hidden, vocabulary))
    return Skeleton(
        "llama", tuple(modules), layers, hidden, inner, heads, groups, head, vocabulary, 8192, "lm_head", tied
    )


LLAMA_8B = llama(4096, 14336, 32, 128256, 32, 8, 128, tied=False)
QWEN_HALF_B = llama(896, 4864, 24, 151936, 14, 2, 64, tied=True, bias=True)


def recipe(method=None, length=2048, batch=1, **training):
    values = {"data": {"max_length": length}, "method": method or {"name": "lora"}}
    return recipe_from_mapping({**values, "training": {"micro_batch": batch, "effective_batch": batch, **training}})


TRACED = [
    # peaks of allocated memory, GiB, traced by running two training steps on fake tensors (one row of 2,048 tokens)
    (QWEN_HALF_B, {"name": "full"}, {}, 8.881),
    (QWEN_HALF_B, {"name": "full"}, {"gradient_checkpointing": True}, 6.335),
    (QWEN_HALF_B, {"name": "lora", "rank": 16}, {}, 7.315),
    (QWEN_HALF_B, {"name": "lora", "rank": 16}, {"autocast": False}, 8.247),
    (QWEN_HALF_B, {"name": "lora", "rank": 16}, {"autocast": False, "gradient_checkpointing": True}, 4.586),
    (LLAMA_8B, {"name": "full"}, {}, 60.130),
    (LLAMA_8B, {"name": "full"}, {"gradient_checkpointing": True}, 59.846),
    (LLAMA_8B, {"name": "lora", "rank": 16}, {}, 31.713),
    (LLAMA_8B, {"name": "lora", "rank": 16}, {"autocast": False}, 36.399),
    (LLAMA_8B, {"name": "lora", "rank": 16}, {"autocast": False, "gradient_checkpointing": True}, 18.894),
    (LLAMA_8B, {"name": "qlora", "rank": 8}, {"autocast": False, "gradient_checkpointing": True}, 9.013),
]


@pytest.mark.parametrize(("skeleton", "method", "training", "peak"), TRACED)
def test_the_estimate_is_within_one_percent_of_the_traced_peak(skeleton, method, training, peak):
    estimate = estimate_memory(recipe(method, **training), skeleton, H100)
    assert estimate.allocated / GIB == pytest.approx(peak, rel=0.01)


def test_published_sizes_of_the_models_come_out():
    assert LLAMA_8B.total_parameters == 8_030_261_248
    assert QWEN_HALF_B.total_parameters == 494_032_768


def test_nf4_with_double_quantisation_takes_0_5159_bytes_a_parameter():
    assert of_bitsandbytes("nf4", True).each == pytest.approx(0.5159, abs=5e-5)
    assert of_bitsandbytes("nf4", False).each == 0.5625


def test_the_parts_add_up_to_the_peak():
    for skeleton, method, training, _ in TRACED:
        estimate = estimate_memory(recipe(method, **training), skeleton, H100)
        assert sum(estimate.parts.values()) == estimate.allocated + estimate.parts["context"]
        assert estimate.reserved_low <= estimate.reserved <= estimate.reserved_high


@pytest.mark.parametrize(
    ("smaller", "larger"),
    [
        (recipe({"rank": 4}), recipe({"rank": 64})),
        (recipe(batch=1), recipe(batch=4)),
        (recipe(length=512), recipe(length=1024)),
        (recipe(gradient_checkpointing=True), recipe()),
        (recipe({"name": "lora"}), recipe({"name": "full"})),
        (recipe({"name": "qlora"}), recipe({"name": "lora"})),
        (recipe({"name": "full"}, optimizer="adamw_8bit"), recipe({"name": "full"})),
        (recipe({"name": "full"}, optimizer="adafactor"), recipe({"name": "full"}, optimizer="adamw_8bit")),
    ],
)
def test_what_saves_memory_lowers_the_estimate(smaller, larger):
    low, high = (estimate_memory(item, LLAMA_8B, H100).allocated for item in (smaller, larger))
    assert low < high


def test_rows_that_are_shorter_than_allowed_take_less():
    short = estimate_memory(recipe(), LLAMA_8B, H100, RowShape(100, 20))
    assert short.allocated < estimate_memory(recipe(), LLAMA_8B, H100).allocated


def test_the_verdict_is_by_what_is_free_now():
    need = estimate_memory(recipe(), LLAMA_8B, H100)
    for free, verdict in (
        (2 * need.process, "fits"),
        (need.process + 1, "tight"),
        (need.process - 1, "does not fit"),
    ):
        assert estimate_memory(recipe(), LLAMA_8B, Device("cuda", "x", free, free)).verdict == verdict


def test_advice_is_what_the_estimate_says_of_the_changed_recipe():
    start = recipe({"name": "full"}, batch=4)
    now = estimate_memory(start, LLAMA_8B, H100)
    found = advise(start, LLAMA_8B, H100)
    assert "lora" in str([advice.settings for advice in found])
    assert [advice.memory for advice in found] == sorted((advice.memory for advice in found), reverse=True)
    from workbench.core.recipe import change_recipe

    for advice in found:
        assert (
            now.reserved - estimate_memory(change_recipe(start, advice.settings), LLAMA_8B, H100).reserved
            == advice.memory
        )


def test_a_rank_above_the_matrix_is_refused_with_the_matrix_and_its_limit():
    with pytest.raises(UserError, match=r"method\.rank cannot be 2000; k_proj is a 1024×4096 matrix.*at most 1024"):
        estimate_memory(recipe({"rank": 2000}), LLAMA_8B, H100)


def test_targets_that_the_model_does_not_have_are_refused_with_those_it_has():
    with pytest.raises(UserError, match=r"method\.targets cannot be 'c_attn'.*down_proj, gate_proj"):
        estimate_memory(recipe({"targets": "c_attn"}), LLAMA_8B, H100)


def test_published_lora_counts_come_out():
    square = Skeleton(
        "x", (Module("layers.0.w", "Linear", (("weight", (12288, 12288)),), 12288, 12288),),
        1, 12288, 1, 1, 1, 1, 1, 1, "head", False,
    )  # fmt: skip
    count = recipe({"rank": 8}).method.facts.count(square, recipe({"rank": 8}).method.knobs)
    assert count.total == 196_608


def test_this_machine_has_a_device_with_memory():
    device = find_device()
    assert 0 < device.free <= device.total
