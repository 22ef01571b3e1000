"""The parallel adapter, and what it reads."""

import pytest
import torch
from architectures import CONFIGS, make
from proof import CLOSE, build, distance, fit, ids, load, logits, prove, recipe_for

from workbench.core.methods import METHODS
from workbench.engine.methods.stored import open_adapter, save_adapter
from workbench.engine.skeletons import build_skeleton

STREAM = {"name": "parallel", "reads": "stream"}

SHARED = ("phi",)
"""Architectures whose feed-forward reads through the attention's own norm."""


@pytest.mark.parametrize("architecture", CONFIGS)
def test_an_adapter_beside_the_feed_forward_reads_it_before_its_norm_where_there_is_one(architecture, models):
    folder = make(models, architecture)
    reason = METHODS["parallel"].reason_against(build_skeleton(folder), {"reads": "stream"})
    if METHODS["parallel"].reason_against(build_skeleton(folder), {}) or architecture in SHARED:
        assert reason
        return
    assert reason is None
    model = build(folder, recipe_for(STREAM))
    layer = next(one for one in model.modules() if hasattr(one, "bottleneck_adapters"))
    seen = {}
    layer.bottleneck_adapters["default"].register_forward_pre_hook(lambda _, given: seen.update(adapter=given[0]))
    layer.base_layer.register_forward_pre_hook(lambda _, given: seen.update(feed_forward=given[0]))
    name = model.peft_config["default"].reads
    norm = next(one for path, one in model.named_modules() if path.endswith(f".{name}"))
    logits(model)
    assert torch.allclose(norm(seen["adapter"]), seen["feed_forward"], atol=1e-5)
    assert not torch.allclose(seen["adapter"], seen["feed_forward"], atol=1e-2)


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_it_comes_back_from_disk_resumes_and_generates_as_any_other(architecture, models, tmp_path):
    found = prove(make(models, architecture), STREAM, tmp_path)
    assert found.trained == found.counted
    assert found.last_loss < found.first_loss
    assert max(found.reloaded, found.off, found.on_again, found.cached) <= CLOSE
    assert found.resumed == 0.0


def test_it_gives_each_row_of_a_batch_its_own_adapter_and_the_same_gradients_with_checkpointing(models, tmp_path):
    folder = make(models, "llama")
    recipe = recipe_for(STREAM)
    model = build(folder, recipe)
    fit(model, recipe)
    tuned, base = logits(model), logits(load(folder, recipe))
    with torch.no_grad():
        mixed = model(input_ids=ids(), adapter_names=["__base__", "default"] * 2).logits
    assert distance(base[0::2], mixed[0::2]) <= CLOSE
    assert distance(tuned[1::2], mixed[1::2]) <= CLOSE
    save_adapter(model, tmp_path)
    gradients = []
    for recompute in (False, True):
        again = open_adapter(load(folder, recipe), tmp_path, trainable=True)
        if recompute:
            again.get_base_model().gradient_checkpointing_enable({"use_reentrant": False})
        again.train()
        again(input_ids=ids(), labels=ids(), use_cache=False).loss.backward()
        gradients.append(torch.cat([one.grad.flatten() for one in again.parameters() if one.grad is not None]))
    assert float(gradients[0].abs().max()) > 0
    assert torch.allclose(*gradients, atol=1e-6)
