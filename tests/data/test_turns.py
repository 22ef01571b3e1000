"""Turns with weights, tools, thoughts and typed parts, and special tokens in people's words."""

import pytest

from workbench.core.data.conversations.turns import read_turns
from workbench.core.data.templates.prompt import prompt_ids
from workbench.core.data.templates.render import BUILT_IN, ChatTemplate, choose_template
from workbench.core.data.tokens.encode import encode_conversations
from workbench.core.data.tokens.tokenizer import open_tokenizer
from workbench.core.places import tiny_folder


@pytest.fixture(scope="module")
def tokenizer():
    return open_tokenizer(tiny_folder())


def trained_text(template, turns, train_on="answers"):
    example = encode_conversations([read_turns(0, turns, {})], template, train_on)[0]
    pairs = zip(example.ids, example.trained, strict=True)
    return template.tokenizer.decode([token for token, trained in pairs if trained])


TURNS = [
    {"role": "user", "content": "One?"},
    {"role": "assistant", "content": "First.", "weight": 0},
    {"role": "user", "content": "Two?"},
    {"role": "assistant", "content": "Second.", "weight": 1},
]


@pytest.mark.parametrize("name", ["own", *BUILT_IN])
def test_a_turn_of_weight_nought_is_not_trained_on(tokenizer, name):
    text = trained_text(choose_template(tokenizer, name), TURNS)
    assert "Second." in text
    assert "First" not in text


def test_weights_hold_where_a_template_writes_more_marks_than_turns(tokenizer):
    source = (
        "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}"
        "{% generation %}<|endoftext|>{% endgeneration %}{% else %}{{ m.content }}\n{% endif %}{% endfor %}"
    )
    assert trained_text(ChatTemplate("test", source, tokenizer), TURNS) == "Second.<|endoftext|>"
    last = trained_text(
        ChatTemplate("test", source, tokenizer), [{**turn, "weight": 1} for turn in TURNS], "last_answer"
    )
    assert last == "Second.<|endoftext|>"


def test_a_row_whose_answers_all_weigh_nothing_says_so():
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "weight": 0}]
    assert read_turns(0, turns, {}).problem == "every answer in it has weight 0"


def test_typed_parts_are_text_and_thoughts_and_pictures_are_named():
    parts = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    turns = [{"role": "user", "content": [{"type": "text", "text": "q"}]}, {"role": "assistant", "content": parts}]
    answer = read_turns(0, turns, {}).messages[1]
    assert (answer.content, answer.extra["reasoning_content"]) == ("ab", "hm")
    turns[0]["content"] = [{"type": "image_url", "image_url": {}}]
    assert "image_url" in read_turns(0, turns, {}).problem


def test_calls_of_tools_reach_the_template_with_arguments_as_objects():
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    turns = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "2"},
    ]
    found = read_turns(0, turns, {"tools": '[{"type": "function"}]'})
    assert found.problem is None
    assert found.messages[1].extra["tool_calls"][0]["function"]["arguments"] == {"a": 1}
    assert found.tools == ({"type": "function"},)
    sharegpt = [
        {"from": "human", "value": "q"},
        {"from": "function_call", "value": '{"name": "f", "arguments": {"a": 1}}'},
        {"from": "observation", "value": "2"},
    ]
    found = read_turns(0, sharegpt, {})
    assert [message.role for message in found.messages] == ["user", "assistant", "tool"]
    assert found.messages[1].extra["tool_calls"][0]["function"]["name"] == "f"


def test_a_special_token_in_a_persons_words_stays_words(tokenizer):
    template = choose_template(tokenizer, "own")
    end = tokenizer.eos_id
    turns = [{"role": "user", "content": f"Stop {tokenizer.eos_token} here"}, {"role": "assistant", "content": "Yes."}]
    conversation = read_turns(0, turns, {})
    as_text = encode_conversations([conversation], template, "answers")[0]
    as_token = encode_conversations([conversation], template, "answers", shielded=False)[0]
    assert as_token.ids.count(end) == as_text.ids.count(end) + 1
    assert tokenizer.decode(as_text.ids) == tokenizer.decode(as_token.ids)
    for example in (as_text, as_token):
        pairs = zip(example.ids, example.trained, strict=True)
        assert tokenizer.decode([token for token, trained in pairs if trained]).strip() == f"Yes.{tokenizer.eos_token}"
    prompt = prompt_ids(tokenizer, "own", turns[:1])
    assert tuple(prompt) == as_text.ids[: len(prompt)]
