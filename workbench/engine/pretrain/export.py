"""The finished model folder: bfloat16 weights, tokenizer, chat template, generation settings, skeleton."""

import copy
from pathlib import Path

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from workbench.core.files import write_json_atomically
from workbench.engine.skeletons import build_skeleton


def export_model(target: Path, model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast) -> None:
    """Write everything that Transformers loads, and the skeleton that estimates read without torch."""
    copy.deepcopy(model).to(torch.bfloat16).save_pretrained(target)
    tokenizer.save_pretrained(target)
    write_json_atomically(target / "skeleton.json", build_skeleton(target).to_json())


def load_exported(folder: Path) -> LlamaForCausalLM:
    """The exported weights, computed with in float32."""
    return LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
