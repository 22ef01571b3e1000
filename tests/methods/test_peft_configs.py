"""Everything else that PEFT has, by its own config file."""

import json

import pytest
from architectures import make
from proof import prove

from workbench.core.errors import UserError
from workbench.core.methods import METHODS
from workbench.core.methods.peft_kinds import kind_named, peft_kinds
from workbench.core.methods.trying import ABILITIES, abilities_on
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
    assert found.cached <= 1e-4
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


def test_a_kinds_settings_defaults_and_help_are_those_of_pefts_config_class():
    import dataclasses

    from peft import LoHaConfig

    kind = kind_named("loha")
    fields = {field.name: field for field in dataclasses.fields(LoHaConfig)}
    assert {one.name for one in kind.settings} <= set(fields)
    for one in kind.settings:
        assert one.help.split() == fields[one.name].metadata["help"].split()
    assert next(one.default for one in kind.settings if one.name == "r") == LoHaConfig().r
    assert all(one.help for each in peft_kinds() for one in each.settings)
    assert len(peft_kinds()) > 40
    with pytest.raises(UserError, match="no kind of adapter named NONE; it has LORA"):
        kind_named("NONE")


def test_a_kind_is_trained_by_its_name_and_settings_without_a_file(models, tmp_path):
    folder = make(models, "llama")
    method = {"name": "peft", "kind": "loha", "settings": {"r": 2, "target_modules": ["q_proj"]}}
    found = prove(folder, method, tmp_path)
    assert found.trained == found.counted == 2 * 2 * 2 * 2 * 64
    assert found.last_loss < found.first_loss
    settings = {**method["settings"], "r": 4}
    wider = METHODS["peft"].count(build_skeleton(folder), {"kind": "LOHA", "settings": settings})
    assert wider.total == 2 * found.counted


def test_a_setting_that_pefts_config_class_has_not_is_refused(models):
    reason = METHODS["peft"].reason_against(
        build_skeleton(make(models, "llama")), {"kind": "LOHA", "settings": {"rnak": 4}}
    )
    assert "LOHA has no setting rnak" in reason
    with pytest.raises(UserError, match="cannot both be given"):
        METHODS["peft"].count(build_skeleton(make(models, "llama")), {"kind": "LOHA", "config": "x"})


def test_abilities_are_found_by_trying_and_a_base_that_a_kind_cannot_take_is_refused(models):
    skeleton = build_skeleton(make(models, "llama"))
    able = abilities_on(skeleton, {"peft_type": "LOHA", "r": 4})
    assert set(able) == set(ABILITIES)
    assert able["trains"] is True
    assert able["merges"] is True
    assert able["8-bit"] is True
    assert able["4-bit"] is not True
    assert able["mixed batch"] == "rows of one batch do not get the adapter that is theirs."
    assert METHODS["peft"].reason_against(skeleton, {"kind": "LOHA", "quantisation": "int8"}) is None
    assert "does not train over a 4-bit base" in METHODS["peft"].reason_against(
        skeleton, {"kind": "LOHA", "quantisation": "nf4"}
    )
    conv1d = abilities_on(build_skeleton(make(models, "gpt2")), {"peft_type": "LOHA", "r": 4})
    assert "Conv1D" in conv1d["trains"]


OWN = '''
from dataclasses import dataclass
from peft import LoraConfig
from peft.tuners.lora import LoraModel
from workbench.engine.tuners import register

@dataclass
class ThinConfig(LoraConfig):
    """LoRA of rank one."""
    def __post_init__(self):
        super().__post_init__()
        self.peft_type, self.r = "THIN", 1

class ThinModel(LoraModel):
    pass

register("THIN", ThinConfig, ThinModel)
'''


def test_a_tuner_of_the_users_own_is_listed_counted_trained_and_opened_like_pefts(models, tmp_path):
    file = tmp_path / "thin.py"
    file.write_text(OWN)
    assert kind_named("thin", str(file)).what == "LoRA of rank one."
    folder = make(models, "llama")
    found = prove(folder, {"name": "peft", "kind": "THIN", "module": str(file)}, tmp_path / "adapter")
    assert found.trained == found.counted == 2 * 2 * (64 + 64) - 2 * 32
    assert found.last_loss < found.first_loss
    assert max(found.reloaded, found.off, found.on_again) <= 1e-4
    file.write_text("import nothing_of_that_name")
    reason = METHODS["peft"].reason_against(build_skeleton(folder), {"kind": "THIN", "module": str(file)})
    assert "cannot be imported (ModuleNotFoundError" in reason
    assert "takes a Python file" in METHODS["peft"].reason_against(
        build_skeleton(folder), {"kind": "THIN", "module": str(tmp_path / "none.py")}
    )
