"""The helper through its client: conversation with runs, cancellation, death and return."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys

import psutil
import pytest
import pytest_asyncio
import torch
from made_runs import load_tiny, make_full_run, make_lora_run, make_run, save_adapter

from workbench.core.data.tokens.tokenizer import open_tokenizer
from workbench.core.errors import RunFailedError, UserError
from workbench.core.helper import GONE, Helper
from workbench.core.places import find_workspace, tiny_folder
from workbench.core.recipe import Recipe, recipe_to_mapping

pytestmark = pytest.mark.asyncio(loop_scope="module")

RECIPE = recipe_to_mapping(Recipe())
TALK = [{"role": "user", "content": "What is the capital of France?"}]
ENDLESS = {"model": {"path": "tiny"}, "messages": TALK, "temperature": 50.0, "max_new_tokens": 500}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return find_workspace(tmp_path_factory.mktemp("home"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def helper(home):
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    async with Helper(home) as helper:
        yield helper
    if before is None:
        del os.environ["OMP_NUM_THREADS"]


@pytest.fixture(scope="module")
def adapted_run(home):
    return make_lora_run(home)


async def test_data_is_inspected_as_the_core_does(helper):
    from workbench.core.data.inspect import inspect_data

    events = []
    found = await helper.request("inspect", events.append, recipe=RECIPE, masks=2)
    assert found == json.loads(json.dumps(inspect_data(Recipe(), tiny_folder(), masks=2)))
    page = await helper.request("rows", recipe=RECIPE, start=3, count=2)
    assert [row["row"] for row in page["rows"]] == [3, 4]
    assert all(event["event"] == "progress" for event in events)


async def test_tiny_is_ready_with_its_skeleton(helper):
    found = await helper.request("prepare", model={"path": "tiny"})
    assert found["folder"] == str(tiny_folder())
    assert found["skeleton"] == json.loads((tiny_folder() / "skeleton.json").read_text())
    assert (await helper.request("skeleton", model={"path": "tiny"}))["skeleton"] == found["skeleton"]


async def test_a_config_alone_is_enough_for_a_skeleton(helper, tmp_path):
    folder = tmp_path / "config-only"
    folder.mkdir()
    (folder / "config.json").write_text((tiny_folder() / "config.json").read_text())
    found = await helper.request("skeleton", model={"path": str(folder)})
    assert found["skeleton"] == json.loads((tiny_folder() / "skeleton.json").read_text())
    with pytest.raises(UserError, match="holds no weights"):
        await helper.request("prepare", model={"path": str(folder)})


async def test_base_and_tuned_answer_the_same_prompt_and_stream_what_they_answer(helper, adapted_run):
    opened = await helper.request("open_chat", run=str(adapted_run))
    assert opened["sides"] == ["base", "tuned"]
    assert opened["shares_base"] is True
    events = []
    said = await helper.request("chat", events.append, messages=TALK, max_new_tokens=20)
    tokenizer = open_tokenizer(tiny_folder())
    assert events[0] == {"event": "prompt", "text": tokenizer.decode(said["ids"]), "ids": said["ids"]}
    for side in ("base", "tuned"):
        pieces = [event["text"] for event in events[1:] if event["side"] == side]
        assert "".join(pieces) == said[side] == tokenizer.decode(said[f"{side}_ids"]).lstrip()
        assert said[f"{side}_tokens"] == [tokenizer.token_text(token) for token in said[f"{side}_ids"]]
        assert said["ends"][side] == ("length" if len(said[f"{side}_ids"]) == 20 else "stop")
    assert said["identical"] is False
    assert said["tokens_per_second"] > 0


async def test_the_base_side_of_a_run_is_the_base_model(helper, adapted_run):
    beside = await helper.request("chat", run=str(adapted_run), messages=TALK, sides=["base"], max_new_tokens=20)
    alone = await helper.request("chat", model={"path": "tiny"}, messages=TALK, max_new_tokens=20)
    assert beside["base_ids"] == alone["base_ids"]
    made = load_tiny().generate(torch.tensor([alone["ids"]]), max_new_tokens=20, do_sample=False, pad_token_id=1)
    assert alone["base_ids"] == [token for token in made[0, len(alone["ids"]) :].tolist() if token != 0]
    assert "tuned" not in beside
    assert beside["identical"] is None


async def test_an_adapter_without_effect_gives_identical_sides(helper, home):
    run = make_run(home, "no-effect")
    save_adapter(run / "adapter", strength=0.0)
    said = await helper.request("chat", run=str(run), messages=TALK, temperature=1.0, top_p=0.9, seed=5)
    assert said["identical"] is True
    assert said["base"] == said["tuned"]


async def test_a_fully_trained_run_answers_from_two_models(helper, home):
    run = make_full_run(home)
    opened = await helper.request("open_chat", run=str(run))
    assert opened["shares_base"] is False
    said = await helper.request("chat", messages=TALK, max_new_tokens=20)
    alone = await helper.request("chat", model={"path": str(run / "model")}, messages=TALK, max_new_tokens=20)
    assert said["tuned_ids"] == alone["base_ids"]
    assert said["identical"] is False


async def test_a_run_without_a_result_answers_from_its_newest_checkpoint(helper, home):
    run = make_run(home, "stopped")
    with pytest.raises(UserError, match="The run stopped has no result and no checkpoint yet"):
        await helper.request("open_chat", run=str(run))
    save_adapter(run / "checkpoints" / "step-9")
    save_adapter(run / "checkpoints" / "step-10", strength=0.0)
    said = await helper.request("chat", run=str(run), messages=TALK)
    assert said["identical"] is True
    save_adapter(run / "checkpoints" / "step-11")
    said = await helper.request("chat", run=str(run), messages=TALK)
    assert said["identical"] is False


async def test_a_special_token_s_text_is_text_in_a_message_and_a_token_in_a_raw_continuation(helper):
    talk = [{"role": "user", "content": "Say <|endoftext|> now"}]
    said = await helper.request("chat", model={"path": "tiny"}, messages=talk, max_new_tokens=1)
    raw = await helper.request("chat", model={"path": "tiny"}, messages=talk, max_new_tokens=1, complete=True)
    assert 0 not in said["ids"]
    assert 0 in raw["ids"]


async def test_a_raw_continuation_has_no_template(helper):
    text = "The capital of Peru is"
    said = await helper.request(
        "chat", model={"path": "tiny"}, messages=[{"role": "user", "content": text}], complete=True, max_new_tokens=1
    )
    assert said["ids"] == open_tokenizer(tiny_folder()).encode(text)[0]
    assert said["base"].startswith(" ")


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ({"messages": []}, "nothing to answer"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "A message has a role"),
        ({"messages": [{"role": "user", "content": "word " * 600}]}, "this model reads 512 with its answer"),
        ({"messages": TALK, "sides": ["tuned"]}, "Only a base model is open"),
        ({"messages": TALK, "sides": ["left"]}, "A side is base or tuned"),
        ({"messages": TALK, "temperature": -1}, "chat.temperature cannot be -1"),
        ({"messages": TALK, "run": "/no/such/run"}, "There is no run at /no/such/run"),
        ({"messages": TALK, "model": {"path": "/no/such/model"}}, "There is no model at /no/such/model"),
    ],
)
async def test_what_cannot_be_answered_is_said_in_a_sentence(helper, args, sentence):
    with pytest.raises(UserError, match=sentence):
        await helper.request("chat", **{"model": {"path": "tiny"}, **args})


async def test_an_answer_ends_at_the_model_s_last_position(helper):
    messages = [{"role": "user", "content": "word " * 480}]
    said = await helper.request(
        "chat", model={"path": "tiny"}, messages=messages, temperature=50.0, max_new_tokens=400, seed=1
    )
    assert said["ends"]["base"] == "positions"
    assert len(said["ids"]) + len(said["base_ids"]) == 512


async def test_without_an_open_model_there_is_nobody_to_answer(helper):
    await helper.request("close_chat")
    with pytest.raises(UserError, match="No run is open"):
        await helper.request("chat", messages=TALK)


async def test_cancelling_the_task_cancels_the_request(helper):
    first = asyncio.Event()
    heard = []

    def hear(event):
        heard.append(event)
        if event["event"] == "text":
            first.set()

    task = asyncio.create_task(helper.request("chat", hear, **ENDLESS))
    await first.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    count = len(heard)
    said = await helper.request("chat", **{**ENDLESS, "max_new_tokens": 2})
    assert len(said["base_ids"]) == 2
    assert len(heard) == count < 400


async def test_an_error_in_the_listener_is_the_caller_s(helper):
    def fail(event):
        raise KeyError("listener")

    with pytest.raises(KeyError, match="listener"):
        await helper.request("chat", fail, **{**ENDLESS, "max_new_tokens": 2})
    await helper.request("rows", recipe=RECIPE, start=0, count=1)


async def test_many_requests_are_open_at_once_and_each_gets_its_own_answer(helper):
    pages = await asyncio.gather(*(helper.request("rows", recipe=RECIPE, start=n, count=1) for n in range(20)))
    assert [page["rows"][0]["row"] for page in pages] == list(range(20))


async def test_a_helper_that_dies_is_said_and_the_next_request_starts_another(helper):
    talking = asyncio.Event()
    task = asyncio.create_task(helper.request("chat", lambda event: talking.set(), **ENDLESS))
    waiting = asyncio.create_task(helper.request("chat", **ENDLESS))
    await talking.wait()
    before = helper.pid
    os.kill(before, signal.SIGKILL)
    for broken in (task, waiting):
        with pytest.raises(RunFailedError) as raised:
            await broken
        assert raised.value.sentence == GONE
        assert "-9" in raised.value.details
    page = await helper.request("rows", recipe=RECIPE, start=0, count=1)
    assert page["total"] > 1
    assert helper.pid not in (None, before)


async def test_a_python_file_in_the_working_folder_stands_in_for_nothing(home, tmp_path, monkeypatch):
    (tmp_path / "yaml.py").write_text("raise SystemExit('shadowed')")
    monkeypatch.chdir(tmp_path)
    async with Helper(home) as helper:
        assert await helper.request("close_chat") == {}


async def test_closing_ends_the_process_and_refuses_more(home):
    helper = Helper(home)
    await helper.close()
    helper = Helper(home)
    await helper.request("close_chat")
    pid = helper.pid
    await helper.close()
    assert helper.pid is None
    assert not psutil.pid_exists(pid)
    with pytest.raises(RunFailedError, match="closed"):
        await helper.request("close_chat")


async def test_a_helper_that_cannot_start_says_so(home, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    async with Helper(home) as helper:
        with pytest.raises(RunFailedError, match="cannot be started"):
            await helper.request("close_chat")
