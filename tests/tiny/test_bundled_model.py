"""The bundled base model as it ships: what it knows, that it does not answer, and what is in its folder."""

import re

import pytest
import torch
from transformers import AutoTokenizer

from workbench.core.places import tiny_folder
from workbench.engine.pretrain.export import load_exported
from workbench.engine.pretrain.recall import measure_base_behaviour, measure_recall

FLOORS = {
    "capitals": 1.0, "opposites": 0.98, "plurals": 0.98, "past_tenses": 0.98, "symbols": 0.98, "colours": 0.98,
    "continents": 0.95, "languages": 0.95, "sums": 0.90,
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(tiny_folder())


@pytest.fixture(scope="module")
def model():
    return load_exported(tiny_folder())


@pytest.fixture(scope="module")
def recall(model, tokenizer):
    return measure_recall(model, tokenizer)


@pytest.mark.parametrize("table", FLOORS)
def test_the_bundled_model_recalls_what_its_floor_says(recall, table):
    assert recall[table].share >= FLOORS[table], recall[table]


def test_the_model_card_tells_the_recall_that_is_measured(recall):
    card = (tiny_folder() / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\w ]+) \| .+ … \| (\d+) \| (\d+) \|", card, re.MULTILINE)
    told = {name: (int(right), int(of)) for name, right, of in rows}
    assert told == {name.replace("_", " "): (count.right, count.of) for name, count in recall.items()}


@pytest.mark.parametrize("through_template", [False, True], ids=["bare", "through the chat template"])
def test_the_base_answers_no_question_for_a_capital_and_asks_on(model, tokenizer, through_template):
    seen = measure_base_behaviour(model, tokenizer, through_template=through_template)
    assert seen.answered.right == 0
    assert seen.asked_on.share >= 0.95


def test_the_model_has_one_point_two_million_parameters_stored_in_bfloat16(model):
    assert sum(parameter.numel() for parameter in model.parameters()) == 1_197_184
    assert model.config.dtype == torch.float32
    assert '"bfloat16"' in (tiny_folder() / "config.json").read_text(encoding="utf-8")


def test_the_bundled_folder_is_complete_and_under_four_megabytes():
    files = {path.name: path.stat().st_size for path in tiny_folder().iterdir()}
    assert set(files) == {
        "README.md", "chat_template.jinja", "config.json", "generation_config.json", "model.safetensors", "skeleton.json",
        "tokenizer.json", "tokenizer_config.json",
    }  # fmt: skip
    assert sum(files.values()) < 4_000_000


def test_digits_are_tokens_of_their_own_and_paris_is_one(tokenizer):
    assert tokenizer.tokenize("1234") == ["1", "2", "3", "4"]
    assert tokenizer.tokenize(" 17.") == ["Ġ", "1", "7", "."]
    assert len(tokenizer.tokenize(" Paris")) == 1
    assert len(tokenizer) == 3072


def test_any_text_survives_the_tokenizer(tokenizer):
    for text in ("Asunción, naïve, 日本, 🙂, tab\there", "  two  spaces \n\n lines"):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_the_chat_template_trains_on_the_space_the_answer_and_the_end_of_every_turn(tokenizer):
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is the capital of Peru?"},
        {"role": "assistant", "content": "Lima."},
        {"role": "user", "content": "What is 3 plus 4?"},
        {"role": "assistant", "content": "7."},
    ]
    made = tokenizer.apply_chat_template(messages, return_dict=True, return_assistant_tokens_mask=True)
    assert tokenizer.decode(made["input_ids"]) == (
        "<|system|> Be brief.\n<|user|> What is the capital of Peru?\n<|assistant|> Lima.<|endoftext|>"
        "<|user|> What is 3 plus 4?\n<|assistant|> 7.<|endoftext|>"
    )
    trained = [token for token, kept in zip(made["input_ids"], made["assistant_masks"], strict=True) if kept]
    assert tokenizer.decode(trained) == " Lima.<|endoftext|> 7.<|endoftext|>"
    prompt = tokenizer.apply_chat_template(messages[:2], tokenize=False, add_generation_prompt=True)
    assert prompt == "<|system|> Be brief.\n<|user|> What is the capital of Peru?\n<|assistant|>"


def test_the_chat_template_refuses_a_role_that_it_does_not_know(tokenizer):
    with pytest.raises(Exception, match="not tool"):
        tokenizer.apply_chat_template([{"role": "tool", "content": "x"}], tokenize=False)


def test_no_path_of_the_machine_that_made_it_is_in_the_folder():
    for path in tiny_folder().iterdir():
        data = path.read_bytes()
        assert not re.search(rb"/(work|opt|root|tmp|home)/", data), path.name
