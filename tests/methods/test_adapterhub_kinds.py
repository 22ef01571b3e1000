"""AdapterHub's LoRA, IA3 and prefixes, opened as PEFT's kinds of the same names."""

import json

import pytest
import torch
from adapterhub_reference import IDS
from architectures import make
from proof import CLOSE, distance, load, recipe_for
from safetensors.torch import save_file

from workbench.core.errors import UserError
from workbench.core.places import Workspace, tiny_folder
from workbench.core.recipe import load_recipe
from workbench.core.runs.folder import RunFolder
from workbench.engine.adopt.adapterhub import take_over
from workbench.engine.adopt.taking import adopt
from workbench.engine.methods.stored import open_adapter, save_adapter
from workbench.engine.skeletons import build_skeleton

RANK, ALPHA = 4, 12
LORA = {"architecture": "lora", "composition_mode": "add", "r": RANK, "alpha": ALPHA, "attn_matrices": ["q", "v"]}
IA3 = {"architecture": "lora", "composition_mode": "scale", "r": 1, "alpha": 1, "attn_matrices": ["k", "v"]}
PREFIX = {"architecture": "prefix_tuning", "flat": True, "prefix_length": 5, "non_linearity": "tanh"}
SITES = {"llama": ("model.layers.1.self_attn.v_proj", "model.layers.1.mlp.down_proj"), "gpt2": ("transformer.h.1.mlp.c_proj",)}  # fmt: skip


def write(folder, config, tensors):
    """An adapter's folder as AdapterHub's library writes it."""
    folder.mkdir()
    (folder / "adapter_config.json").write_text(
        json.dumps({"config": config, "name": "one", "version": "adapters.1.3.0"})
    )
    save_file({name: value.contiguous() for name, value in tensors.items()}, folder / "adapter.safetensors")


def base_of(folder):
    return load(folder, recipe_for({"name": "lora"}))


def take(folder, hub):
    return take_over(base_of(folder), build_skeleton(folder), hub)


@torch.no_grad()
def logits(model):
    return model.eval()(input_ids=torch.tensor(IDS)).logits


def drawn(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape))) * 0.2


@torch.no_grad()
def change(base, site, update=None, factors=None):
    """Put into a base's own weights, [out, in] in one kind of layer and [in, out] in the other, what an adapter does."""
    layer = base.get_submodule(site)
    turned = not isinstance(layer, torch.nn.Linear)
    if update is not None:
        layer.weight.add_(update.T if turned else update)
    if factors is not None:
        layer.weight.mul_(factors if turned else factors[:, None])
        if layer.bias is not None:
            layer.bias.mul_(factors)


def check(folder, hub, expected, tmp_path):
    """Logits as expected, not the base's, and the same again from PEFT's own files."""
    taken = take(folder, hub)
    assert distance(logits(expected), logits(taken)) <= CLOSE < 0.01 < distance(logits(base_of(folder)), logits(taken))
    save_adapter(taken, tmp_path / "ours")
    assert distance(logits(taken), logits(open_adapter(base_of(folder), tmp_path / "ours"))) == 0.0


@pytest.mark.parametrize("architecture", SITES)
def test_its_lora_is_pefts(architecture, models, tmp_path):
    folder = make(models, architecture)
    expected, tensors = base_of(folder), {}
    for module in build_skeleton(folder).linear_layers:
        if module.name in SITES[architecture]:
            a, b = drawn(RANK, module.in_features), drawn(module.out_features, RANK)
            tensors |= {f"{module.name}.loras.one.lora_A": a, f"{module.name}.loras.one.lora_B": b}
            change(expected, module.name, update=ALPHA / RANK * b @ a)
    write(tmp_path / "hub", LORA, tensors)
    check(folder, tmp_path / "hub", expected, tmp_path)


def test_its_updates_of_queries_and_values_that_one_matrix_makes_stand_side_by_side_in_pefts(models, tmp_path):
    folder = make(models, "gpt2")
    expected, site = base_of(folder), "transformer.h.0.attn.c_attn"
    a, b = drawn(2 * RANK, 64), drawn(2 * 64, RANK)
    update = torch.zeros(3 * 64, 64)
    update[:64], update[128:] = b[:64] @ a[:RANK], b[64:] @ a[RANK:]
    change(expected, site, update=ALPHA / RANK * update)
    write(tmp_path / "hub", LORA, {f"{site}.loras.one.lora_A": a, f"{site}.loras.one.lora_B": b})
    check(folder, tmp_path / "hub", expected, tmp_path)


@pytest.mark.parametrize("architecture", SITES)
def test_its_ia3_is_pefts(architecture, models, tmp_path):
    folder = make(models, architecture)
    expected, tensors = base_of(folder), {}
    for module in build_skeleton(folder).linear_layers:
        if module.name in SITES[architecture]:
            factors = 1 + drawn(module.out_features)
            tensors[f"{module.name}.loras.one.lora_B"] = factors[:, None]
            change(expected, module.name, factors=factors)
    write(tmp_path / "hub", IA3, tensors)
    check(folder, tmp_path / "hub", expected, tmp_path)


def test_its_factors_of_keys_and_values_leave_the_queries_beside_them_alone(models, tmp_path):
    folder = make(models, "gpt2")
    expected, site = base_of(folder), "transformer.h.1.attn.c_attn"
    factors = 1 + drawn(128)
    change(expected, site, factors=torch.cat([torch.ones(64), factors]))
    write(tmp_path / "hub", IA3, {f"{site}.loras.one.lora_B": factors[:, None]})
    check(folder, tmp_path / "hub", expected, tmp_path)


@pytest.mark.parametrize("architecture", ["llama", "mistral"])
@torch.no_grad()
def test_a_prefix_of_its_that_holds_a_texts_own_keys_and_values_answers_as_after_that_text(
    architecture, models, tmp_path
):
    folder = make(models, architecture)
    base, text = base_of(folder), torch.tensor([[7, 90, 33, 12, 201]])
    cache = base(input_ids=text, use_cache=True).past_key_values
    cos, sin = base.model.rotary_emb(torch.zeros(1), torch.tensor([[-5]]))  # there, positions begin behind the prefix
    half = lambda keys: torch.cat([-keys.chunk(2, -1)[1], keys.chunk(2, -1)[0]], -1)  # noqa: E731
    parts = [part for one in cache.layers for part in (one.keys * cos + half(one.keys) * sin, one.values)]
    stored = torch.stack([part[0].transpose(0, 1) for part in parts], dim=1)  # places, layers and kinds, heads, numbers
    name = "prefix_tuning.prefix_tunings.one.self_prefix.control_trans"
    copies = {f"model.layers.{layer}.self_attn.prefix_tuning.pool.{name.partition('.')[2]}": stored.flatten() for layer in (0, 1)}  # fmt: skip
    write(tmp_path / "hub", PREFIX, {f"model.{name}": stored.flatten().clone(), **{k: v.clone() for k, v in copies.items()}})  # fmt: skip
    ids = torch.tensor(IDS)
    expected = base(input_ids=torch.cat([text.expand(2, -1), ids], dim=1)).logits[:, 5:]
    taken = take(folder, tmp_path / "hub")
    assert distance(expected, logits(taken)) <= CLOSE
    save_adapter(taken, tmp_path / "ours")
    assert distance(expected, logits(open_adapter(base_of(folder), tmp_path / "ours"))) <= CLOSE


def test_an_imported_lora_is_a_run_whose_recipe_trains_such_an_adapter(tmp_path):
    run = RunFolder(tmp_path / "home" / "runs" / "taken")
    run.path.mkdir(parents=True)
    write(tmp_path / "hub", LORA, {
        f"model.layers.{layer}.self_attn.q_proj.loras.one.lora_{which}": drawn(*shape)
        for layer in range(4) for which, shape in (("A", (RANK, 128)), ("B", (128, RANK)))
    })  # fmt: skip
    facts = adopt(tmp_path / "hub", "tiny", run, Workspace(tmp_path / "home"), lambda _: None)
    recipe = load_recipe(run.recipe)
    counted = recipe.method.facts.count(build_skeleton(tiny_folder()), recipe.method.knobs).total
    assert facts["trainable_parameters"] == counted == 4 * RANK * (128 + 128)


@pytest.mark.parametrize(
    ("config", "tensors", "reason"),
    [
        ({**LORA, "use_dora": True}, {}, r"set in a way that PEFT's cannot be \(use_dora\)"),
        ({**LORA, "use_gating": True}, {}, r"set in a way that PEFT's cannot be \(use_gating\)"),
        (LORA, {}, "holds nothing"),
        (LORA, {"model.embed_tokens.loras.one.lora_B": (64, 4)}, "The model has no model.embed_tokens"),
        (LORA, {"model.layers.0.mlp.up_proj.x": (4,)}, "which PEFT's has no place for"),
        (LORA, {"model.layers.0.mlp.up_proj.loras.one.lora_B": (128, 4)}, "have not the shapes"),
        (IA3, {"model.layers.0.mlp.up_proj.loras.one.lora_B": (96, 1)}, "have not the shapes"),
        (PREFIX, {"model.prefix_tuning.prefix_tunings.one.self_prefix.control_trans": (60,)}, "has not the shape"),
        (PREFIX, {"model.prefix_tuning.prefix_tunings.one.self_prefix.wte.weight": (5, 64)}, "no prefix that can be read"),
        ({**PREFIX, "leave_out": [1]}, {}, r"cannot be \(leave_out\)"),
    ],
)  # fmt: skip
def test_what_pefts_cannot_be_is_refused_in_a_sentence(config, tensors, reason, models, tmp_path):
    write(tmp_path / "hub", config, {name: drawn(*shape) for name, shape in tensors.items()})
    with pytest.raises(UserError, match=reason):
        take(make(models, "llama"), tmp_path / "hub")


def test_a_prefix_is_refused_where_text_has_other_positions_behind_it(models, tmp_path):
    write(
        tmp_path / "hub",
        PREFIX,
        {"transformer.prefix_tuning.prefix_tunings.one.self_prefix.control_trans": (drawn(1280))},
    )
    with pytest.raises(UserError, match="is not the same on this model"):
        take(make(models, "gpt2"), tmp_path / "hub")
