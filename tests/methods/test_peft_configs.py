"""Everything else that PEFT has, by its own config file."""

import json

import pytest
from architectures import make
from proof import prove

from workbench.core.errors import UserError
from workbench.core.methods import METHODS
from workbench.engine.methods.trial import count_trained
from workbench.engine.skeletons import build_skeleton

pytestmark = pytest.mark.slow

CONFIGS = {
    "LOHA": {"r": 4},
    "LOKR": {"r": 4},
    "BOFT": {"boft_block_size": 8},
    "HRA": {"r": 4},
    "FOURIERFT": {"n_frequency": 50},
    "RANDLORA": {"r": 8},
    "GRALORA": {"r": 8},
    "DELORA": {"r": 8},
    "CPT": {"num_virtual_tokens": 4},
}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "home"))


def written(path, kind, **values):
    path.write_text(json.dumps({"peft_type": kind, **values}))
    return str(path)


@pytest.mark.parametrize("kind", ["LOHA", "FOURIERFT", "DELORA"])
def test_a_config_file_trains_what_is_counted_and_comes_back_from_disk(kind, models, tmp_path):
    config = written(tmp_path / "adapter_config.json", kind, **CONFIGS[kind])
    found = prove(make(models, "llama"), {"name": "peft", "config": config}, tmp_path / "adapter")
    assert found.trained == found.counted > 0
    assert found.last_loss < found.first_loss
    assert max(found.reloaded, found.off, found.on_again) <= 1e-4
    assert found.cached
    assert found.merged <= 1e-4


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_count_without_weights_is_that_of_the_real_model(kind, models):
    from transformers import AutoModelForCausalLM

    from workbench.engine.methods import count_trainable
    from workbench.engine.methods.any_peft import peft_config_from, wrap

    folder = make(models, "llama")
    values = {"peft_type": kind, **CONFIGS[kind]}
    counted = sum(size for _, size in count_trained(build_skeleton(folder), values)["by_module"])
    assert counted == count_trainable(wrap(AutoModelForCausalLM.from_pretrained(folder), peft_config_from(values)))


def test_a_kind_that_does_not_fit_is_refused_with_pefts_own_reason(models, tmp_path):
    config = written(tmp_path / "adapter_config.json", "LOHA", target_modules=["c_attn"])
    reason = METHODS["peft"].reason_against(build_skeleton(make(models, "gpt2")), {"config": config})
    assert reason.startswith("LOHA does not fit this model")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"peft_type": "NOTHING"}, "no kind of adapter named NOTHING"),
        ({"peft_type": "LORA", "bias": "all"}, "changes the base's own weights"),
        ({"peft_type": "ADALORA"}, "choose the method adalora"),
        ({}, "takes PEFT's adapter_config.json"),
    ],
)
def test_a_config_that_cannot_be_used_is_refused_in_a_sentence(values, reason, models, tmp_path):
    path = tmp_path / "adapter_config.json"
    path.write_text(json.dumps(values))
    assert reason in METHODS["peft"].reason_against(build_skeleton(make(models, "llama")), {"config": str(path)})


def test_a_path_without_a_config_is_refused(models):
    with pytest.raises(UserError, match=r"method\.config cannot be"):
        METHODS["peft"].count(build_skeleton(make(models, "llama")), {"config": "/nowhere"})
