"""The finished model folder: bfloat16 weights, tokenizer, chat template, generation settings."""

import copy
from pathlib import Path

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast


def export_model(target: Path, model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast) -> None:
    """Write everything that Transformers loads, into the target folder."""
    copy.deepcopy(model).to(torch.bfloat16).save_pretrained(target)
    tokenizer.save_pretrained(target)


def load_exported(folder: Path) -> LlamaForCausalLM:
    """The exported weights, computed with in float32."""
    return LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
