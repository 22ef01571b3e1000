"""What a method counts: published figures, and the fields that every method must fill."""

import pytest

from workbench.core.errors import UserError
from workbench.core.knobs import knobs_of
from workbench.core.methods import METHODS
from workbench.core.methods.bottleneck import bottleneck_parameters, bottleneck_size
from workbench.core.models.skeleton import Module, Skeleton


def skeleton_of(modules, layers, width, model_type="x", heads=1, head_dim=1, positions=0):
    return Skeleton(
        model_type, tuple(modules), layers, width, 4 * width, heads, heads, head_dim, 100, positions, "head", False
    )


def linear(name, inside, outside, bias=False):
    own = [("weight", (outside, inside)), *([("bias", (outside,))] if bias else [])]
    return Module(name, "Linear", tuple(own), inside, outside)


def gpt3():
    """GPT-3 175B's attention: 96 layers, width 12,288 (Brown et al. 2020, table 2.1)."""
    modules = [
        linear(f"layers.{layer}.attn.{leaf}", 12_288, 12_288)
        for layer in range(96)
        for leaf in ("q_proj", "k_proj", "v_proj", "o_proj")
    ]
    return skeleton_of(modules, 96, 12_288)


def bert(layers, width):
    """BERT's projections behind attention and feed-forward."""
    modules = []
    for layer in range(layers):
        modules.append(linear(f"layers.{layer}.attention.dense", width, width, bias=True))
        modules.append(linear(f"layers.{layer}.mlp.fc2", 4 * width, width, bias=True))
    return skeleton_of(modules, layers, width)


def count(name, skeleton, **knobs):
    return METHODS[name].count(skeleton, knobs).total


def test_lora_of_rank_8_on_one_matrix_of_12288_is_196608():
    assert count("lora", skeleton_of([linear("layers.0.w", 12_288, 12_288)], 1, 12_288), rank=8) == 196_608


def test_lora_of_rank_1_on_a_ten_by_ten_matrix_is_20():
    assert count("lora", skeleton_of([linear("layers.0.w", 10, 10)], 1, 10), rank=1) == 20


def test_a_gate_of_one_number_gets_no_update_unless_it_is_named():
    model = skeleton_of([linear("layers.0.up_proj", 64, 96), linear("layers.0.shared_expert_gate", 64, 1)], 1, 64)
    assert METHODS["lora"].reason_against(model, {}) is None
    assert count("lora", model, rank=8) == 8 * (64 + 96)
    assert count("lora", model, rank=1, targets="shared_expert_gate") == 65


@pytest.mark.parametrize(
    ("targets", "rank", "millions"),
    [("q_proj", 8, 18.9), ("q+v", 1, 4.7), ("q+v", 2, 9.4), ("q+v", 4, 18.9), ("q+v", 8, 37.7), ("attention", 1, 9.4)],
)
def test_gpt3_lora_counts_are_those_of_the_paper(targets, rank, millions):
    assert round(count("lora", gpt3(), targets=targets, rank=rank) / 1e6, 1) == millions


@pytest.mark.parametrize(("size", "expected"), [(8, 835_968), (64, 6_343_680), (256, 25_227_264)])
def test_houlsby_adapters_on_bert_large_come_out_of_its_sizes(size, expected):
    assert count("houlsby", bert(24, 1024), reduction=1024 / size) == expected
    assert expected == 24 * 2 * bottleneck_parameters(1024, size)


@pytest.mark.parametrize(("size", "expected"), [(48, 1_789_056), (64, 2_379_264)])
def test_adapters_on_bert_base_come_out_of_its_sizes(size, expected):
    assert bottleneck_size(768, 768 / size) == size
    assert count("houlsby", bert(12, 768), reduction=768 / size) == expected
    assert count("pfeiffer", bert(12, 768), reduction=768 / size) == expected // 2


def test_dora_adds_one_magnitude_an_output_and_a_bias_one_more_number():
    square = skeleton_of([linear("layers.0.w", 64, 32)], 1, 64)
    plain = count("lora", square, rank=4)
    assert count("lora", square, rank=4, dora=True) == plain + 32
    assert count("lora", square, rank=4, bias=True) == plain + 32


def test_ranks_by_name_and_layers_narrow_the_count():
    two = skeleton_of([linear(f"layers.{n}.{leaf}", 64, 64) for n in (0, 1) for leaf in ("up", "down")], 2, 64)
    assert count("lora", two, rank=4, ranks={"up": 2}) == 2 * (4 * 128) + 2 * (2 * 128)
    assert count("lora", two, rank=4, layers="1") == count("lora", two, rank=4) // 2
    assert count("lora", two, rank=4, layers="last 1") == count("lora", two, rank=4, layers="1")


@pytest.mark.parametrize("layers", ["2", "0-5", "x", "", "first 9"])
def test_layers_that_are_not_there_are_refused_with_those_that_are(layers):
    two = skeleton_of([linear(f"layers.{n}.w", 64, 64) for n in (0, 1)], 2, 64)
    with pytest.raises(UserError, match=r"method\.layers cannot be .*numbers from 0 to 1"):
        count("lora", two, layers=layers)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_says_what_it_is_in_three_sentences_with_its_source_and_defaults_in_range(name):
    method = METHODS[name]
    assert method.what.count(". ") == 2
    assert method.what.endswith(".")
    assert method.equation
    assert method.to_json()["formula"] == method.formula
    assert any(year in method.paper for year in ("2018", "2019", "202"))
    assert 0 < method.learning_rate < 1
    for knob in knobs_of(method.knobs).values():
        assert knob.help.endswith(".")
        assert knob.check(knob.default, knob.name) == knob.default
    assert method.to_json()["name"] == name


def test_bitfit_says_that_a_model_without_biases_has_nothing_to_train_and_offers_added_ones():
    plain = skeleton_of([linear("layers.0.w", 64, 32)], 1, 64)
    assert "nothing to train" in METHODS["bitfit"].reason_against(plain, {})
    assert count("bitfit", plain, add_missing=True) == 32


def test_adalora_refuses_an_end_rank_that_is_not_below_its_start():
    plain = skeleton_of([linear("layers.0.w", 64, 32)], 1, 64)
    assert "below method.start_rank" in METHODS["adalora"].reason_against(plain, {"rank": 12})


def test_fewer_parts_of_full_fine_tuning_train_fewer_weights():
    modules = [
        Module("embed", "Embedding", (("weight", (100, 64)),)),
        linear("layers.0.self_attn.q_proj", 64, 64),
        linear("layers.0.mlp.up", 64, 64),
        Module("layers.0.norm", "Norm", (("weight", (64,)),)),
    ]
    two = skeleton_of(modules, 1, 64)
    assert count("full", two) == 6400 + 2 * 4096 + 64
    assert count("full", two, parts="attention") == 4096
    assert count("full", two, parts="attention,norms") == 4160
    assert count("full", two, layers="0") == 2 * 4096 + 64
    with pytest.raises(UserError, match=r"method\.parts cannot be 'heads'"):
        count("full", two, parts="heads")
