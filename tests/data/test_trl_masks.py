"""The loss mask against TRL's own, on every chat template that TRL bundles. Needs trl; skipped where it is not."""

import re
from pathlib import Path

import pytest

from workbench.core.data.conversations.turns import read_turns
from workbench.core.data.templates.render import ChatTemplate
from workbench.core.data.tokens.encode import encode_conversations
from workbench.core.data.tokens.tokenizer import TextTokenizer
from workbench.core.errors import UserError
from workbench.core.places import tiny_folder

trl = pytest.importorskip("trl")
tokenizers = pytest.importorskip("tokenizers")

FOLDER = Path(trl.__file__).parent / "chat_templates"
SPECIAL = re.compile(r"<\|[\w▁｜ ]+\|>|<\w+_of_turn>|<｜[^｜]+｜>|\[/?INST\]|<turn\|>|<\|turn>")
CALL = {"type": "function", "function": {"name": "multiply", "arguments": {"a": 2, "b": 3}}}
CONVERSATIONS = {
    "two turns": [
        {"role": "user", "content": "Who?"},
        {"role": "assistant", "content": "Me, 🦊."},
        {"role": "user", "content": "Why so?"},
        {"role": "assistant", "content": "Because … it  said so."},
    ],
    "system": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Who?"},
        {"role": "assistant", "content": "Me."},
    ],
    "spaces": [
        {"role": "user", "content": "A:"},
        {"role": "assistant", "content": "  ::4 spaced  "},
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": "\n\ny"},
    ],
    "tools": [
        {"role": "user", "content": "2*3?"},
        {"role": "assistant", "content": "", "tool_calls": [CALL]},
        {"role": "tool", "name": "multiply", "content": "6"},
        {"role": "assistant", "content": "It is 6."},
    ],
    "thoughts": [
        {"role": "user", "content": "2*3?"},
        {"role": "assistant", "content": "6", "reasoning_content": "two by three"},
        {"role": "user", "content": "and 4?"},
        {"role": "assistant", "content": "8", "reasoning_content": "twice four"},
    ],
}


def tokenizers_of(source):
    """The same tokenizer for Transformers and for the workbench, with the template's special tokens."""
    from transformers import PreTrainedTokenizerFast

    backend = tokenizers.Tokenizer.from_file(str(tiny_folder() / "tokenizer.json"))
    backend.add_special_tokens([*sorted(set(SPECIAL.findall(source))), "<s>", "</s>", "<unk>"])
    special = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=backend, **special), TextTokenizer(backend, special, source, False)


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.jinja")), ids=lambda file: file.stem)
def test_masks_equal_those_that_trl_computes(file):
    source = file.read_text(encoding="utf-8")
    theirs, ours = tokenizers_of(source)
    template = ChatTemplate("own", source, ours)
    compared = 0
    for messages in CONVERSATIONS.values():
        conversation = read_turns(0, messages, {})
        marked = {"return_dict": True, "return_assistant_tokens_mask": template.has_generation_marks}
        try:
            expected = theirs.apply_chat_template(messages, chat_template=source, **marked)
        except Exception:  # the template refuses the conversation, in whichever way
            with pytest.raises(UserError):
                encode_conversations([conversation], template, "completion")
            continue
        if template.has_generation_marks:
            example = encode_conversations([conversation], template, "answers")[0]
            assert list(example.ids) == list(expected["input_ids"])
            assert list(example.trained) == [bool(value) for value in expected["assistant_masks"]]
        try:
            prompt = theirs.apply_chat_template(
                messages[:-1], chat_template=source, add_generation_prompt=True, return_dict=True
            )["input_ids"]
        except Exception:
            continue
        from trl.data_utils import common_prefix_length

        example = encode_conversations([conversation], template, "completion")[0]
        start = common_prefix_length(prompt, expected["input_ids"])
        assert list(example.ids) == list(expected["input_ids"])
        assert list(example.trained) == [place >= start for place in range(len(example))]
        compared += 1
    assert compared or "llava" in file.stem


def test_plain_prompt_and_completion_equal_trl_with_the_bare_template():
    from trl.data_utils import common_prefix_length

    from workbench.core.data.templates.render import choose_template

    theirs, ours = tokenizers_of("")
    prompt, completion = "The capital of Peru is", " Lima."
    messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": completion}]
    example = encode_conversations([read_turns(0, messages, {})], choose_template(ours, "bare"), "completion")[0]
    ids = theirs(prompt + completion + theirs.eos_token)["input_ids"]
    start = common_prefix_length(theirs(prompt)["input_ids"], ids)
    assert list(example.ids) == ids
    assert list(example.trained) == [place >= start for place in range(len(ids))]
