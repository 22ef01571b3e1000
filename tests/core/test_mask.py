"""The loss mask: what is trained on, token for token."""

import pytest

from workbench.core.data.conversations.formats import Conversation, Message
from workbench.core.data.templates.built_in import END_TOKENS
from workbench.core.data.templates.render import BUILT_IN, ChatTemplate, choose_template
from workbench.core.data.tokens.mask import fit_example, mark_conversation, mask_tokens
from workbench.core.data.tokens.tokenizer import open_tokenizer
from workbench.core.errors import UserError
from workbench.core.places import tiny_folder

TURNS = (
    Message("system", "Be brief."),
    Message("user", "Who?"),
    Message("assistant", "Me."),
    Message("user", "Why, 🦊?"),
    Message("assistant", "Because … 🦊 said so."),
)


@pytest.fixture(scope="module")
def tokenizer():
    return open_tokenizer(tiny_folder())


def trained_text(template, conversation, train_on="answers"):
    marked = mark_conversation(conversation, template, train_on)
    ids, offsets = template.tokenizer.encode(marked.text)
    mask = mask_tokens(offsets, marked.spans)
    return template.tokenizer.decode([token for token, trained in zip(ids, mask, strict=True) if trained])


@pytest.mark.parametrize("name", ["own", *BUILT_IN])
def test_only_the_answers_and_their_end_are_trained_on(tokenizer, name):
    template = choose_template(tokenizer, name)
    text = trained_text(template, Conversation(0, TURNS))
    end = END_TOKENS.get(name, tokenizer.eos_token)
    assert text.replace(" ", "") == f"Me.{end}Because…🦊saidso.{end}".replace(" ", "")


def test_the_last_answer_alone_or_everything_can_be_trained_on(tokenizer):
    template = choose_template(tokenizer, "own")
    last = trained_text(template, Conversation(0, TURNS), "last_answer")
    assert last.strip() == f"Because … 🦊 said so.{tokenizer.eos_token}"
    whole = template.render([{"role": turn.role, "content": turn.content} for turn in TURNS])
    assert trained_text(template, Conversation(0, TURNS), "everything") == whole


PREFIX = (
    "{% for m in messages %}<|{{ m.role }}|> {{ m.content }}{% if m.role == 'assistant' %}<|endoftext|>{% endif %}\n"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
REWRITING = (
    "{% for m in messages %}{% if m.role == 'assistant' and not loop.last %}<|assistant|> {{ m.content }}\n{% else %}"
    "<|{{ m.role }}|> {{ m.content }}{% if m.role == 'assistant' %}<|endoftext|>{% endif %}\n{% endif %}{% endfor %}"
)


@pytest.mark.parametrize("source", [PREFIX, REWRITING])
def test_answers_are_found_in_templates_without_generation_marks(tokenizer, source):
    template = ChatTemplate("test", source, tokenizer)
    text = trained_text(template, Conversation(0, TURNS))
    assert "Because … 🦊 said so.<|endoftext|>" in text
    assert "Me." in text
    for never in ("Who?", "Why", "Be brief", "<|user|>", "\n"):
        assert never not in text


def test_a_token_that_straddles_the_border_is_trained_on_as_transformers_does():
    assert mask_tokens([(0, 2), (2, 5), (5, 6), (6, 7)], [(3, 6)]) == [False, True, True, False]


def test_multibyte_characters_that_split_over_tokens_are_trained_whole(tokenizer):
    template = choose_template(tokenizer, "own")
    conversation = Conversation(0, (Message("user", "🦊"), Message("assistant", "🦊漢字")))
    assert "🦊漢字" in trained_text(template, conversation)


def test_plain_text_is_trained_on_throughout_with_its_end(tokenizer):
    template = choose_template(tokenizer, "auto")
    assert trained_text(template, Conversation(0, text="Once upon a time.")) == "Once upon a time.<|endoftext|>"


@pytest.mark.parametrize(
    "source",
    ["{% for x in %}", "{{ raise_exception('no system') }}", "{{ messages[9].content }}", "{{ ''.__class__.__mro__ }}"],
)
def test_a_template_that_cannot_render_or_reaches_for_python_is_one_sentence(tokenizer, source):
    with pytest.raises(UserError) as refused:
        mark_conversation(Conversation(0, TURNS), ChatTemplate("test", source, tokenizer))
    assert "template (test)" in refused.value.sentence


def test_a_template_that_drops_the_answer_is_refused(tokenizer):
    with pytest.raises(UserError, match="cannot be told apart"):
        mark_conversation(Conversation(0, TURNS), ChatTemplate("test", "{{ messages[1].content }}", tokenizer))


@pytest.mark.parametrize(("how", "kept"), [("drop", None), ("cut_right", (1, 2, 3)), ("cut_left", (3, 4, 5))])
def test_a_row_that_is_too_long_is_dropped_or_cut_as_chosen(how, kept):
    example = fit_example(0, [1, 2, 3, 4, 5], [False, True, True, True, True], 3, how)
    assert (example.ids if example else None) == kept
    assert example is None or example.cut == 2
