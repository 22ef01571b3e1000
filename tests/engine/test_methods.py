"""Methods on real models: the built count is the formula's, and the result is what plain libraries load."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from workbench.core.errors import UserError
from workbench.core.methods import METHODS
from workbench.core.methods.targets import chosen_targets
from workbench.core.recipe import ModelSection, Recipe, recipe_from_mapping
from workbench.engine.base_models import load_base
from workbench.engine.methods import base_quantisation, build_method, count_trainable
from workbench.engine.methods.lora import names_for

KINDS = ["llama", "gpt2", "qwen2"]
CPU = torch.device("cpu")
TOKENS = torch.tensor([[1, 2, 3, 4, 5, 6, 7, 8], [9, 10, 11, 12, 13, 14, 15, 16]])

LORA = [
    {},
    {"rank": 3, "alpha": 1},
    {"targets": "attention"},
    {"targets": "q+v", "rslora": True},
    {"dora": True, "dropout": 0.1},
]


def recipe_for(name: str, **knobs: Any) -> Recipe:
    return recipe_from_mapping({"method": {"name": name, **knobs}})


def shake(model: Any) -> Any:
    """Give what is trained values as after training, so that an adapter does something."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.05)
    return model


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model.eval()(input_ids=TOKENS, use_cache=False).logits
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_full_fine_tuning_trains_every_parameter(
    kind: str, make_model: Callable[[str], Any], skeleton_of_kind: Callable[[str], Any]
) -> None:
    skeleton = skeleton_of_kind(kind)
    model = make_model(kind).requires_grad_(False)
    built = build_method(model, recipe_for("full"), skeleton)
    assert count_trainable(built) == METHODS["full"].count(skeleton, {}).total
    assert all(parameter.requires_grad for parameter in built.parameters())


@pytest.mark.parametrize("knobs", LORA, ids=lambda knobs: "-".join(knobs) or "defaults")
@pytest.mark.parametrize("kind", KINDS)
def test_lora_trains_as_many_parameters_as_its_formula_says(
    kind: str, knobs: dict[str, Any], make_model: Callable[[str], Any], skeleton_of_kind: Callable[[str], Any]
) -> None:
    skeleton = skeleton_of_kind(kind)
    recipe = recipe_for("lora", **knobs)
    count = METHODS["lora"].count(skeleton, recipe.method.knobs)
    model = make_model(kind)
    base = count_trainable(model.requires_grad_(True))
    built = build_method(model, recipe, skeleton)
    assert count_trainable(built) == count.total
    assert sum(one.numel() for one in built.parameters()) == base + count.total
    trained = {name.split(".lora_")[0] for name, one in built.named_parameters() if one.requires_grad}
    assert {name.removeprefix("base_model.model.") for name in trained} == {name for name, _ in count.by_module}


def test_a_leaf_name_that_reaches_too_far_is_replaced_by_full_names(
    make_model: Callable[[str], Any], skeleton_of_kind: Callable[[str], Any]
) -> None:
    model, skeleton = make_model("gpt2"), skeleton_of_kind("gpt2")
    assert names_for(model, chosen_targets(skeleton, "all-linear", "all")) == ["c_attn", "c_proj", "c_fc"]
    attention = names_for(model, chosen_targets(skeleton, "attention", "all"))
    assert len(attention) == 4
    assert all(".attn.c_" in name for name in attention)


@pytest.mark.parametrize("knobs", [{}, {"dora": True}, {"targets": "attention", "rslora": True}], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_adapter_gives_the_same_logits_with_plain_peft(
    kind: str,
    knobs: dict[str, Any],
    model_folder: Callable[[str], Path],
    skeleton_of_kind: Callable[[str], Any],
    tmp_path: Path,
) -> None:
    from peft import AutoPeftModelForCausalLM

    folder = model_folder(kind)
    base = load_base(ModelSection(path=str(folder)), folder, "float32", CPU)
    before = logits(base)
    built = shake(build_method(base, recipe_for("lora", **knobs), skeleton_of_kind(kind)))
    after = logits(built)
    assert (after - before).abs().max() > 0.1
    built.save_pretrained(tmp_path / "adapter")
    again = AutoPeftModelForCausalLM.from_pretrained(tmp_path / "adapter")
    assert torch.allclose(logits(again), after, atol=1e-5)
    with again.disable_adapter():
        assert torch.allclose(logits(again), before, atol=1e-5)


@pytest.mark.parametrize("quantisation", ["nf4", "fp4", "int8"])
@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_qlora_trains_the_formulas_parameters_over_a_quantised_base(
    kind: str, quantisation: str, model_folder: Callable[[str], Path], skeleton_of_kind: Callable[[str], Any]
) -> None:
    bitsandbytes = pytest.importorskip("bitsandbytes")
    folder, skeleton = model_folder(kind), skeleton_of_kind(kind)
    recipe = recipe_for("qlora", quantisation=quantisation)
    base = load_base(
        ModelSection(path=str(folder)), folder, "float32", CPU, base_quantisation(recipe.method, "float32")
    )
    layer = bitsandbytes.nn.Linear8bitLt if quantisation == "int8" else bitsandbytes.nn.Linear4bit
    quantised = {name for name, module in base.named_modules() if isinstance(module, layer)}
    assert quantised == {module.name for module in skeleton.linear_layers}
    built = build_method(base, recipe, skeleton)
    assert count_trainable(built) == METHODS["qlora"].count(skeleton, recipe.method.knobs).total
    losses = train_a_little(built)
    assert losses[-1] < losses[0]


def train_a_little(model: Any, steps: int = 4) -> list[float]:
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=5e-3)
    losses = []
    model.train()
    for _ in range(steps):
        loss = model(input_ids=TOKENS, labels=TOKENS, use_cache=False).loss
        loss.backward()
        assert any(parameter.grad is not None and parameter.grad.abs().max() > 0 for parameter in trained)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


def test_qlora_still_learns_after_an_evaluation(
    model_folder: Callable[[str], Path], skeleton_of_kind: Callable[[str], Any]
) -> None:
    """With the CPU's AVX512-BF16 kernels, or as if it had them, an evaluation must not end all gradients."""
    bitsandbytes = pytest.importorskip("bitsandbytes")
    folder = model_folder("llama")
    recipe = recipe_for("qlora")
    base = load_base(
        ModelSection(path=str(folder)), folder, "float32", CPU, base_quantisation(recipe.method, "float32")
    )
    for module in base.modules():
        if isinstance(module, bitsandbytes.nn.Linear4bit):
            module.support_avx512bf16_for_cpu = True  # as on the CPUs that have the trap
    built = build_method(base, recipe, skeleton_of_kind("llama"))
    four_bit = [module for module in built.modules() if isinstance(module, bitsandbytes.nn.Linear4bit)]
    assert four_bit
    assert not any(module.support_avx512bf16_for_cpu for module in four_bit)
    first = train_a_little(built)
    logits(built)
    second = train_a_little(built)
    assert second[-1] < first[-1]


def test_qlora_without_bitsandbytes_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(UserError, match="pip install 'workbench\\[quant\\]'"):
        base_quantisation(recipe_for("qlora").method, "float32")
