"""LLaMA-Adapter's gated vectors in the attentions that it reaches, PEFT's own and those that PEFT does not know."""

import math

import pytest
import torch
from peft import AdaptionPromptConfig, PeftModel, get_peft_model
from peft.tuners.adaption_prompt.layer import AdaptedAttention
from transformers import AutoConfig, AutoModelForCausalLM

from workbench.core.methods import METHODS
from workbench.engine.skeletons import skeleton_of
from workbench.engine.tuners.gated_prompt import GatedPromptAttention

SIZES = {
    "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 2, "vocab_size": 128,
    "intermediate_size": 96, "head_dim": 16,
}  # fmt: skip
IDS = torch.arange(14).view(2, 7) * 5 % 128
LENGTH = 5


def base(kind, **sizes):
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **{**SIZES, **sizes})).eval()


def adapted(model, gate=0.0):
    torch.manual_seed(1)
    built = get_peft_model(model, AdaptionPromptConfig(adapter_len=LENGTH, adapter_layers=2, task_type="CAUSAL_LM"))
    for attention in attentions(built):
        attention.adaption_gate.data.fill_(gate)
    return built.eval()


def attentions(model):
    return [module for module in model.modules() if isinstance(module, AdaptedAttention)]


@torch.no_grad()
def logits(model):
    return model(IDS).logits


def test_where_peft_has_it_ours_gives_the_same_logits():
    model = adapted(base("llama"), gate=0.7)
    assert not any(isinstance(one, GatedPromptAttention) for one in attentions(model))
    theirs = logits(model)
    for attention in attentions(model):
        attention.__class__ = GatedPromptAttention
    assert torch.allclose(logits(model), theirs, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "head"),
    [("llama", 32), ("mistral", 32), ("qwen2", 16), ("qwen3", 16), ("qwen3", 32), ("gemma", 32)],
)
def test_it_starts_at_the_base_counts_as_its_formula_says_and_comes_back_from_disk(kind, head, tmp_path):
    model = base(kind, head_dim=head)
    untouched = logits(model)
    skeleton = skeleton_of(model, model.config)
    built = adapted(model)
    assert torch.equal(logits(built), untouched)
    counted = METHODS["llama-adapter"].count(skeleton, {"length": LENGTH}).total
    assert counted == sum(one.numel() for one in built.parameters() if one.requires_grad)
    for attention in attentions(built):
        attention.adaption_gate.data.fill_(0.7)
    tuned = logits(built)
    assert not torch.allclose(tuned, untouched, atol=1e-2)
    built.save_pretrained(tmp_path)
    assert torch.equal(logits(PeftModel.from_pretrained(base(kind, head_dim=head), tmp_path).eval()), tuned)


def test_queries_and_keys_of_qwen3_meet_the_vectors_as_they_meet_the_text():
    """A vector that the attention's own keys and values were made of is found with the weight that the paper says."""
    model = adapted(base("qwen3", head_dim=32), gate=0.7)
    wrapped = attentions(model)[0]
    inner = wrapped.model
    hidden = torch.randn(1, 3, 64)
    tables = (torch.ones(1, 3, 32), torch.zeros(1, 3, 32))  # positions that turn nothing
    with torch.no_grad():
        added = wrapped(hidden_states=hidden, position_embeddings=tables, attention_mask=None)[0]
        added = added - inner(hidden_states=hidden, position_embeddings=tables, attention_mask=None)[0]
        heads = []
        for head in range(4):
            part, shared = slice(32 * head, 32 * head + 32), slice(32 * (head // 2), 32 * (head // 2) + 32)
            query = inner.q_norm(inner.q_proj(hidden)[0, :, part])
            key = inner.k_norm(inner.k_proj(wrapped.adaption_prompt)[0, :, shared])
            value = inner.v_proj(wrapped.adaption_prompt)[0, :, shared]
            heads.append(0.7 * (query @ key.T / math.sqrt(32)).softmax(-1) @ value)
        by_hand = inner.o_proj(torch.cat(heads, dim=-1))
    assert torch.allclose(added[0], by_hand, atol=1e-5)
