"""Runs opened for conversation: what stands in memory, and what is refused."""

from __future__ import annotations

import pytest
import torch
from made_runs import load_tiny, make_lora_run, make_run, save_adapter

from workbench.core.errors import UserError
from workbench.core.places import find_workspace
from workbench.core.recipe import recipe_from_mapping, save_recipe
from workbench.engine.generation.answering import answer
from workbench.engine.generation.opening import open_run
from workbench.engine.generation.sampling import Sampling

TALK = [{"role": "user", "content": "What is the capital of France?"}]


@pytest.fixture
def workspace(tmp_path):
    return find_workspace(tmp_path / "workspace")


def opened(run, workspace):
    return open_run(run, workspace, lambda text: None)


def test_a_qlora_run_answers_over_the_quantised_base_that_it_was_trained_on(workspace):
    bitsandbytes = pytest.importorskip("bitsandbytes")
    run = make_run(workspace, "quantised", "qlora")
    save_adapter(run / "adapter")
    chat = opened(run, workspace)
    model = chat.sides["base"].model
    assert chat.sides["tuned"].model is model
    assert any(isinstance(module, bitsandbytes.nn.Linear4bit) for module in model.modules())
    said = answer(chat, TALK, ["base", "tuned"], Sampling(max_new_tokens=8))
    assert said["identical"] is False


def test_random_bytes_are_streamed_as_whole_characters(workspace):
    chat = opened(make_lora_run(workspace), workspace)
    events = []
    sampling = Sampling(temperature=80.0, max_new_tokens=150, seed=2)
    said = answer(chat, TALK, ["tuned"], sampling, complete=True, on_event=events.append)
    pieces = [event["text"] for event in events if event["event"] == "text"]
    assert "".join(pieces) == said["tuned"]
    ids = said["ids"] + said["tuned_ids"]
    assert chat.tokenizer.decode(ids) == TALK[0]["content"] + said["tuned"]
    assert not any(piece.endswith("\ufffd") for piece in pieces[:-1])


def test_the_recipe_s_template_makes_the_prompt(workspace):
    run = make_lora_run(workspace)
    save_recipe(recipe_from_mapping({"data": {"template": "alpaca"}}), run / "recipe.yaml")
    said = answer(opened(run, workspace), TALK, ["base"], Sampling(max_new_tokens=1))
    text = opened(run, workspace).tokenizer.decode(said["ids"])
    assert text == "### Instruction:\nWhat is the capital of France?\n\n### Response:\n"


def test_every_end_token_of_the_generation_config_ends_an_answer(workspace, tmp_path):
    import json
    import shutil

    from workbench.core.places import tiny_folder

    base = tmp_path / "base"
    shutil.copytree(tiny_folder(), base)
    settings = json.loads((base / "generation_config.json").read_text())
    (base / "generation_config.json").write_text(json.dumps({**settings, "eos_token_id": [0, 5]}))
    run = make_run(workspace, "two-ends", path=str(base))
    save_adapter(run / "adapter")
    chat = opened(run, workspace)
    assert chat.stop_ids == {0, 5}


def test_an_adapter_that_does_not_fit_is_refused_in_a_sentence(workspace):
    run = make_lora_run(workspace)
    file = run / "adapter" / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(UserError, match="is damaged"):
        opened(run, workspace)
    file.unlink()
    with pytest.raises(UserError, match="has no adapter_model"):
        opened(run, workspace)


@torch.no_grad()
def test_switching_leaves_the_base_as_it_is_however_often(workspace):
    chat = opened(make_lora_run(workspace), workspace)
    ids = torch.tensor([[5, 6, 7, 8]])
    wanted = load_tiny()(ids).logits
    tuned = None
    for _ in range(5):
        chat.sides["tuned"].switch()
        again = chat.sides["tuned"].model(ids).logits
        assert tuned is None or torch.equal(again, tuned)
        tuned = again
        chat.sides["base"].switch()
        assert torch.equal(chat.sides["base"].model(ids).logits, wanted)
