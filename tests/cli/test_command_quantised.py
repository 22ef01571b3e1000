"""A checkpoint that is quantised already, as Transformers saves it: trained over as it is, or refused before the start."""

import shutil

import pytest
from command_line import SMALL

from workbench.core.places import tiny_folder

OPTIONS = {"nf4": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}, "int8": {"load_in_8bit": True}}


@pytest.fixture(scope="module", params=OPTIONS)
def stored(request, tmp_path_factory):
    """The bundled model as a checkpoint in 4 or 8 bits: its kind and folder."""
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    folder = tmp_path_factory.mktemp("stored") / request.param
    config = BitsAndBytesConfig(**OPTIONS[request.param])
    AutoModelForCausalLM.from_pretrained(
        tiny_folder(), quantization_config=config, device_map={"": "cpu"}
    ).save_pretrained(folder)
    for file in tiny_folder().glob("token*"):
        shutil.copy(file, folder)
    return request.param, folder


@pytest.mark.slow
def test_lora_trains_over_it_and_base_and_tuned_are_told_apart(stored, workbench):
    folder = stored[1]
    words = ("capitals", *SMALL, "--set", f"model.path={folder}", "--set", "method.rank=4")
    said = workbench.document("train", *words, "--name", "over", timeout=240)
    assert said["state"] == "finished"
    assert said["held_out_loss"] < 0.7 * said["base_loss"]
    found = workbench.document("score", "over", timeout=240)  # opened again in a process of its own
    assert found["held_out_loss"] == pytest.approx(said["held_out_loss"], rel=1e-4)
    assert found["base_loss"] == pytest.approx(said["base_loss"], rel=1e-4)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (("method.name=full",), "cannot be trained in every weight"),
        (("method.start=pissa",), "method.start cannot be pissa over a base that is stored as"),
        (("method.name=qlora", "method.quantisation=fp4"), "already; set method.quantisation to"),
        (("method.name=qlora", "method.quantisation={kind}", "method.loftq=true"), "method.loftq needs"),
    ],
)
def test_what_cannot_be_trained_over_it_is_refused_before_the_start(settings, reason, stored, workbench):
    kind, folder = stored
    words = [word for one in settings for word in ("--set", one.format(kind=kind))]
    assert reason in workbench.refused("train", "capitals", "--set", f"model.path={folder}", *words)
    assert not any((workbench.workspace / "runs").iterdir())
