"""Every knob of every method does something: another value trains other weights, or trains them to other losses."""

import json
from functools import cache

import pytest
from architectures import make
from proof import build, fit, recipe_for
from test_peft_configs import OWN

from workbench.core.knobs import knobs_of
from workbench.core.methods import METHODS
from workbench.core.places import tiny_folder
from workbench.engine.methods.stored import save_adapter

CHANGED = {
    "parts": "attention",
    "layers": "1",
    "rank": 4,
    "start_rank": 10,
    "alpha": 8.0,
    "targets": "q+v",
    "dropout": 0.5,
    "rslora": True,
    "dora": True,
    "start": "gaussian",
    "plus": 16.0,
    "bias": True,
    "ranks": {"q_proj": 2},
    "quantisation": "fp4",
    "double_quantisation": False,
    "loftq": True,
    "reduction": 8.0,
    "non_linearity": "tanh",
    "scale": 2.0,
    "reads": "stream",
    "length": 5,
    "top_layers": 1,
    "virtual_tokens": 8,
    "text": "Say which country it is",
    "projection": True,
    "projection_size": 64,
    "encoder": "lstm",
    "encoder_size": 64,
    "keys_values": False,
    "feed_forward": False,
    "add_missing": False,
    "begin": 0.5,
    "settle": 0.6,
    "orthogonality": 0.0,
    "block_size": 8,
    "token_ids": [199, 143],
    "kind": "HRA",
    "settings": {"r": 4},
}
"""Another value of each knob than the one that stands in the other recipe."""

CHANGED_OF = {
    ("prompt", "start"): "random",
    ("prefix", "start"): "random",
    ("vera", "start"): 0.5,
    ("vera", "rank"): 64,
}
"""The same where a method's own knob of that name takes something else."""

BESIDE = {
    "double_quantisation": {"quantisation": "nf4"},
    "text": {"start": "text", "text": "The capital of France"},
    "projection_size": {"projection": True},
}
"""What must be set beside a knob for it to have a meaning."""

ALWAYS = {
    "bitfit": {"add_missing": True},
    "tokens": {"token_ids": [199, 143, 109]},
    "peft": {"kind": "LOHA"},
    "adalora": {"rank": 6},
}
"""What a method cannot do without on this model, or what makes a difference show."""

ON = {"text": "tiny", "add_missing": "qwen2"}
"""Knobs that show on another model than Llama's: on one with a tokenizer, on one that has biases and may lack some."""

EVERY = [(name, knob) for name in METHODS for knob in knobs_of(METHODS[name].knobs)]


@pytest.fixture(scope="module")
def adapters(models, tmp_path_factory):
    """Three adapters that a fusion may combine."""
    places = []
    for seed in range(3):
        recipe = recipe_for({"name": "pfeiffer"}, seed=seed)
        model = build(make(models, "llama"), recipe)
        fit(model, recipe, steps=2)
        places.append(tmp_path_factory.mktemp("adapters") / str(seed))
        save_adapter(model, places[-1])
    return [str(place) for place in places]


@cache
def trained(folder, method):
    """What is trained, by name and shape, and the losses: all that a person could tell two recipes by."""
    recipe = recipe_for(json.loads(method))
    model = build(folder, recipe)
    shapes = {name: tuple(one.shape) for name, one in model.named_parameters() if one.requires_grad}
    return shapes, fit(model, recipe)[0]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "knob"), EVERY, ids=str)
def test_another_value_of_a_knob_trains_otherwise(name, knob, models, adapters, tmp_path):
    on = ON.get(knob, "llama")
    folder = tiny_folder() if on == "tiny" else make(models, on)
    given = {"name": name, **ALWAYS.get(name, {}), **BESIDE.get(knob, {})}
    if name == "peft" and "quantisation" in knob:
        given["kind"] = "LORA"
    if name == "fusion":
        given["adapters"] = adapters[:2]
    changed = {**given, knob: changed_value(name, knob, adapters, tmp_path)}
    if name == "peft" and knob == "config":
        del changed["kind"]
    if name == "peft" and knob == "module":
        given, changed = {**given, "kind": "LORA"}, {**changed, "kind": "THIN"}
    first, second = (trained(folder, json.dumps(one)) for one in (given, changed))
    assert first[0] and second[0]
    assert first != second


def changed_value(name, knob, adapters, folder):
    if knob == "adapters":
        return adapters
    if knob == "config":
        file = folder / "adapter_config.json"
        file.write_text(json.dumps({"peft_type": "HRA", "r": 4}))
        return str(file)
    if knob == "module":
        file = folder / "thin.py"
        file.write_text(OWN)
        return str(file)
    return CHANGED_OF.get((name, knob), CHANGED.get(knob))
