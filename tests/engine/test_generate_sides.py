"""Generation by hand, compared with Transformers' own on real models."""

from __future__ import annotations

import pytest
import torch
from made_runs import load_tiny, save_adapter
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

from workbench.core.data.tokens.tokenizer import open_tokenizer
from workbench.core.errors import UserError
from workbench.core.places import tiny_folder
from workbench.engine.generation.opening import adapter_sides
from workbench.engine.generation.sampling import Chooser, Sampling, sampling_from
from workbench.engine.generation.sides import Side, stream_sides
from workbench.engine.generation.text import TextStream
from workbench.engine.methods.stored import open_adapter

PROMPTS = (
    "The capital of France is",
    "The opposite of hot is",
    "Seven plus two is",
    "A",
    "One. Two. Three. Four. Five",
)


@pytest.fixture(scope="module")
def tokenizer():
    return open_tokenizer(tiny_folder())


@pytest.fixture(scope="module")
def adapted(tmp_path_factory):
    return open_adapter(load_tiny(), save_adapter(tmp_path_factory.mktemp("adapter")))


def by_transformers(model, ids, count, **settings):
    made = model.generate(torch.tensor([ids]), max_new_tokens=count, do_sample=False, pad_token_id=1, **settings)
    return made[0, len(ids) :].tolist()


def tokens_of(stream, name="base"):
    return [token for side, token in stream if side == name]


@pytest.mark.parametrize("prompt", PROMPTS)
def test_greedy_answers_are_those_of_transformers(prompt, tokenizer, adapted):
    ids = tokenizer.encode(prompt)[0]
    sides = adapter_sides(adapted)
    made = list(stream_sides(list(sides.values()), ids, Sampling(max_new_tokens=24), {tokenizer.eos_id}))
    sides["tuned"].switch()
    assert tokens_of(made, "tuned") == by_transformers(adapted, ids, 24)
    assert tokens_of(made, "base") == by_transformers(load_tiny(), ids, 24)
    assert tokens_of(made, "tuned") != tokens_of(made, "base")


@pytest.mark.parametrize("kind", ["gpt2", "opt", "gpt_neox", "qwen2", "gemma3_text", "falcon", "bloom", "mamba", "phi"])
def test_greedy_answers_are_those_of_transformers_on_every_architecture(kind):
    torch.manual_seed(0)
    size = {"vocab_size": 200, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    more = {"gemma3_text": {"head_dim": 16, "num_key_value_heads": 1, "sliding_window": 8}, "opt": {"ffn_dim": 48},
            "qwen2": {"num_key_value_heads": 2}, "mamba": {"state_size": 4}}  # fmt: skip
    config = CONFIG_MAPPING[kind](**{**size, **more.get(kind, {})})
    if kind == "opt":
        config.word_embed_proj_dim = 32
    model = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(3.0)  # apart, so that no two tokens are nearly as likely
    ids = [5, 77, 130, 9, 42, 11, 8]
    made = tokens_of(stream_sides([Side("base", model)], ids, Sampling(max_new_tokens=20), ()))
    assert made == by_transformers(model, ids, 20, eos_token_id=None)


def test_with_the_adapter_off_every_logit_is_the_base_s(tokenizer, adapted):
    ids = torch.tensor([tokenizer.encode(PROMPTS[0])[0]])
    sides = adapter_sides(adapted)
    with torch.no_grad():
        wanted = load_tiny()(ids).logits
        sides["tuned"].switch()
        tuned = adapted(ids).logits
        sides["base"].switch()
        base = adapted(ids).logits
    assert torch.equal(base, wanted)
    assert not torch.allclose(tuned, wanted, atol=0.1)


def test_sides_of_one_model_draw_the_same_tokens(tokenizer):
    model = load_tiny()
    ids = tokenizer.encode(PROMPTS[0])[0]
    sampling = Sampling(temperature=1.5, top_p=0.95, max_new_tokens=30, seed=3)
    made = list(stream_sides([Side("base", model), Side("tuned", model)], ids, sampling, ()))
    assert tokens_of(made, "base") == tokens_of(made, "tuned")
    again = list(stream_sides([Side("base", model)], ids, sampling, ()))
    assert tokens_of(again) == tokens_of(made)
    other = stream_sides([Side("base", model)], ids, Sampling(1.5, 0.95, 30, seed=4), ())
    assert tokens_of(other) != tokens_of(made)


def test_every_end_token_ends_an_answer(tokenizer):
    model = load_tiny()
    ids = tokenizer.encode(PROMPTS[0])[0]
    free = tokens_of(stream_sides([Side("base", model)], ids, Sampling(max_new_tokens=12), ()))
    for end in free[3:6]:
        stopped = tokens_of(stream_sides([Side("base", model)], ids, Sampling(max_new_tokens=12), {end, 2999}))
        assert stopped == free[: free.index(end) + 1]


def test_a_stop_ends_every_side_before_the_next_token(tokenizer):
    model = load_tiny()
    seen = []
    sides = [Side("base", model), Side("tuned", model)]
    for _, token in stream_sides(sides, [5, 6], Sampling(max_new_tokens=50), (), lambda: len(seen) == 5):
        seen.append(token)
    assert len(seen) == 5


def test_sampling_follows_the_distribution_and_the_nucleus():
    logits = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05]))
    counts = torch.zeros(4)
    chooser = Chooser(Sampling(temperature=1.0, seed=1))
    for _ in range(4000):
        counts[chooser.choose(logits)] += 1
    assert torch.allclose(counts / 4000, torch.tensor([0.5, 0.3, 0.15, 0.05]), atol=0.03)
    narrow = Chooser(Sampling(temperature=1.0, top_p=0.7, seed=1))
    drawn = [narrow.choose(logits) for _ in range(500)]
    assert set(drawn) == {0, 1}
    assert abs(drawn.count(0) / 500 - 0.625) < 0.07
    cold = Chooser(Sampling(temperature=0.01, seed=1))
    assert {cold.choose(logits) for _ in range(100)} == {0}


def test_settings_that_cannot_be_are_named():
    for key, value in (("temperature", -1), ("top_p", 0.0), ("max_new_tokens", 0), ("seed", "x")):
        with pytest.raises(UserError, match=f"chat.{key} cannot be"):
            sampling_from({key: value, "messages": []})
    assert sampling_from({"temperature": 1, "messages": []}) == Sampling(temperature=1.0)


def test_scores_that_are_no_numbers_are_an_error_not_a_token():
    for temperature in (0.0, 1.0):
        with pytest.raises(UserError, match="diverged"):
            Chooser(Sampling(temperature=temperature)).choose(torch.full((5,), float("nan")))


@pytest.mark.parametrize("text", ["naïve café", "日本語のテキスト", "👩‍👩‍👧 and 🇫🇷", "plain", " leading", "e\u0301"])
def test_pieces_never_split_a_character_and_make_up_the_text(text, tokenizer):
    ids = tokenizer.encode(text)[0]
    stream = TextStream(tokenizer.decode)
    pieces = [stream.push(token) for token in ids]
    pieces.append(stream.finish())
    assert not any("\ufffd" in piece for piece in pieces)
    assert "".join(pieces) == tokenizer.decode(ids) == stream.text == text
    if text.startswith("日"):
        assert "" in pieces[:-1]


def test_bytes_that_never_become_a_character_come_at_the_end(tokenizer):
    whole = tokenizer.encode("日")[0]
    assert len(whole) > 1
    stream = TextStream(tokenizer.decode)
    assert [stream.push(token) for token in whole[:-1]] == [""] * (len(whole) - 1)
    assert stream.finish() == tokenizer.decode(whole[:-1])
    assert set(stream.text) == {"\ufffd"}


def test_a_continuation_keeps_its_first_space_and_an_answer_loses_it(tokenizer):
    prompt = tokenizer.encode("The capital of France is")[0]
    rest = tokenizer.encode(" Paris.")[0]
    kept = TextStream(tokenizer.decode, context=prompt[-4:])
    assert "".join([*(kept.push(token) for token in rest), kept.finish()]) == " Paris."
    stripped = TextStream(tokenizer.decode, strip_start=True)
    assert "".join([*(stripped.push(token) for token in rest), stripped.finish()]) == "Paris."
