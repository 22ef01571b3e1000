"""Method by architecture: what is counted, trained, saved, reopened, switched off, merged, generated and resumed."""

import pytest
from architectures import CONFIGS, make
from matrix import METHODS, merges, refuses
from proof import CLOSE, prove, resume

from workbench.core.errors import UserError

FAST = ("llama", "gpt2")

QUANTISABLE = [name for name, method in METHODS.items() if method["name"] not in ("full", "lora", "tokens")]

OVER_QUANTISED = {"QLoRA": {"name": "qlora"}, "QLoRA with DoRA": {"name": "qlora", "dora": True}} | {
    name: METHODS[name] for name in QUANTISABLE
}


def check(folder, name, architecture, method, work):
    """One cell of the matrix."""
    if refuses(name, architecture):
        with pytest.raises(UserError) as refusal:
            prove(folder, method, work)
        assert refusal.value.sentence.endswith(".")
        return
    found = prove(folder, method, work)
    assert found.trained == found.counted > 0
    assert found.last_loss < found.first_loss
    assert found.changed > CLOSE
    assert found.reloaded <= CLOSE
    assert found.off <= CLOSE
    assert found.on_again <= CLOSE
    assert found.cached
    if merges(name, architecture) and "quantisation" not in method:
        assert isinstance(found.merged, float), found.merged
        assert found.merged <= CLOSE
    else:
        assert isinstance(found.merged, str)


@pytest.mark.parametrize("architecture", FAST)
@pytest.mark.parametrize("name", METHODS)
def test_a_method_trains_what_it_counts_and_comes_back_from_disk(name, architecture, models, tmp_path):
    check(make(models, architecture), name, architecture, METHODS[name], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", [one for one in CONFIGS if one not in FAST])
@pytest.mark.parametrize("name", METHODS)
def test_a_method_trains_what_it_counts_on_every_architecture(name, architecture, models, tmp_path):
    check(make(models, architecture), name, architecture, METHODS[name], tmp_path)


RESUMED = ("PiSSA", "prefix with projection", "P-tuning", "AdaLoRA", "Houlsby", "prompt tuning")


@pytest.mark.parametrize("name", RESUMED)
def test_a_run_taken_up_by_a_fresh_model_goes_on_with_the_same_losses(name, models, tmp_path):
    assert resume(make(models, "llama"), METHODS[name], tmp_path) == 0.0


@pytest.mark.slow
@pytest.mark.parametrize("architecture", CONFIGS)
@pytest.mark.parametrize("name", METHODS)
def test_every_method_resumes_exactly_on_every_architecture(name, architecture, models, tmp_path):
    if not refuses(name, architecture):
        assert resume(make(models, architecture), METHODS[name], tmp_path) == 0.0


@pytest.mark.slow
@pytest.mark.parametrize("quantisation", ["nf4", "fp4", "int8"])
@pytest.mark.parametrize("architecture", ["llama", "gpt2", "opt"])
@pytest.mark.parametrize("name", OVER_QUANTISED)
def test_a_method_trains_and_comes_back_over_a_quantised_base(name, architecture, quantisation, models, tmp_path):
    method = {**OVER_QUANTISED[name], "quantisation": quantisation}
    folder = make(models, architecture)
    if name == "QLoRA with DoRA" and quantisation == "int8":
        with pytest.raises(UserError, match="int8"):
            prove(folder, method, tmp_path)
    else:
        check(folder, name, architecture, method, tmp_path)


@pytest.mark.parametrize("quantisation", ["nf4", "int8"])
def test_qlora_trains_and_comes_back_over_a_quantised_base(quantisation, models, tmp_path):
    check(make(models, "llama"), "QLoRA", "llama", {"name": "qlora", "quantisation": quantisation}, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("quantisation", ["nf4", "int8"])
@pytest.mark.parametrize("name", OVER_QUANTISED)
def test_every_method_resumes_exactly_over_a_quantised_base(name, quantisation, models, tmp_path):
    if not refuses(name, "llama") and not (name == "QLoRA with DoRA" and quantisation == "int8"):
        method = {**OVER_QUANTISED[name], "quantisation": quantisation}
        assert resume(make(models, "llama"), method, tmp_path) == 0.0
