"""AdapterFusion over adapters that were trained one by one."""

from pathlib import Path

import pytest
import torch
from architectures import make
from proof import CLOSE, build, distance, fit, load, logits, prove, recipe_for

from workbench.core.errors import UserError
from workbench.engine.generation.shelf import Shelf, base_key, written
from workbench.engine.methods import count_trainable
from workbench.engine.methods.stored import open_adapter, save_adapter
from workbench.engine.methods.switching import switch_off, switch_on, switch_to
from workbench.engine.skeletons import build_skeleton


def sources(folder, work, methods=("pfeiffer", "pfeiffer")):
    """Folders of adapters that were trained with different seeds."""
    found = []
    for number, name in enumerate(methods):
        recipe = recipe_for({"name": name}, seed=number, learning_rate=0.01)
        model = build(folder, recipe)
        fit(model, recipe, steps=4 + 2 * number)
        place = work / f"run-{number}" / "adapter"
        save_adapter(model, place)
        found.append(str(place.parent))
    return found


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
@pytest.mark.parametrize("kind", ["pfeiffer", "houlsby"])
def test_fusion_trains_its_attention_alone_and_comes_back_with_its_adapters(kind, architecture, models, tmp_path):
    folder = make(models, architecture)
    method = {"name": "fusion", "adapters": sources(folder, tmp_path, (kind, kind))}
    recipe = recipe_for(method)
    model = build(folder, recipe)
    counted = recipe.method.facts.count(build_skeleton(folder), recipe.method.knobs).total
    assert count_trainable(model) == counted == (2 if kind == "pfeiffer" else 4) * (3 * 64 * 64 + 2 * 64)
    assert all("bottleneck_fusion.default" in name for name, one in model.named_parameters() if one.requires_grad)
    losses, _ = fit(model, recipe)
    assert losses[-1] < losses[0]
    save_adapter(model, tmp_path / "fused")
    again = open_adapter(load(folder, recipe), tmp_path / "fused")
    tuned, base = logits(model), logits(load(folder, recipe))
    assert distance(tuned, logits(again)) <= CLOSE < distance(tuned, base)
    switch_off(again)
    assert distance(base, logits(again)) <= CLOSE
    switch_on(again)
    assert distance(tuned, logits(again)) <= CLOSE


def test_fusion_starts_between_its_adapters(models, tmp_path):
    """With V = 1 and an even attention, what is added is the mean of what the adapters add."""
    folder = make(models, "llama")
    model = build(folder, recipe_for({"name": "fusion", "adapters": sources(folder, tmp_path)}))
    layer = model.base_model.model.model.layers[0]
    hidden = torch.randn(2, 3, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        added = [layer.bottleneck_adapters[name](hidden) for name in ("source_1", "source_2")]
        fusion = layer.bottleneck_fusion["default"]
        fusion.query.weight.zero_()
        assert torch.allclose(fusion(hidden, added), (added[0] + added[1]) / 2, atol=1e-4)


def test_a_fusion_resumes_exactly(models, tmp_path):
    folder = make(models, "llama")
    adapters = sources(folder, tmp_path)
    assert prove(folder, {"name": "fusion", "adapters": adapters}, tmp_path / "fused").resumed == 0.0


def test_fusion_refuses_one_adapter_another_kind_and_adapters_in_different_places(models, tmp_path):
    folder = make(models, "llama")
    with pytest.raises(UserError, match="two or more"):
        build(folder, recipe_for({"name": "fusion", "adapters": []}))
    lora = sources(folder, tmp_path / "a", ("lora", "pfeiffer"))
    with pytest.raises(UserError, match="no bottleneck adapter"):
        build(folder, recipe_for({"name": "fusion", "adapters": lora}))
    mixed = sources(folder, tmp_path / "b", ("houlsby", "pfeiffer"))
    with pytest.raises(UserError, match="different places"):
        build(folder, recipe_for({"name": "fusion", "adapters": mixed}))
    with pytest.raises(UserError, match="no finished adapter"):
        build(folder, recipe_for({"name": "fusion", "adapters": [str(tmp_path), str(tmp_path)]}))


@pytest.mark.parametrize(
    "method", [{"name": "lora"}, {"name": "pfeiffer"}, {"name": "ia3"}], ids=lambda one: one["name"]
)
def test_adapters_of_one_base_stand_beside_one_another_and_switch_in_under_100_milliseconds(method, models, tmp_path):
    import time

    folder = make(models, "llama")
    first, second = (Path(one) / "adapter" for one in sources(folder, tmp_path, (method["name"],) * 2))
    recipe = recipe_for(method)
    alone = [logits(open_adapter(load(folder, recipe), place)) for place in (first, second)]
    base = logits(load(folder, recipe))
    model = open_adapter(load(folder, recipe), first)
    shelf = Shelf(model, base_key(recipe), {(str(first), written(first)): "default"})
    names = [shelf.put(first), shelf.put(second)]
    assert names == ["default", "run_2"]
    assert shelf.put(second) == "run_2"
    for name, expected in list(zip(names, alone, strict=True)) * 2:
        began = time.perf_counter()
        switch_to(model, name)
        assert time.perf_counter() - began < 0.1
        assert distance(expected, logits(model)) <= CLOSE
        assert not any(one.requires_grad for one in model.parameters()) or name == "default"
        switch_off(model)
        assert distance(base, logits(model)) <= CLOSE
    other = sources(folder, tmp_path / "other", ("houlsby",))
    assert shelf.put(Path(other[0]) / "adapter") is None
