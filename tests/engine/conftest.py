"""Tiny models of three architectures, a small file of pairs, and trainers as real processes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two threads on a busy two-core machine are many times slower than one
os.environ.setdefault("GOMP_SPINCOUNT", "1000")


WORDS = (
    "red", "green", "blue", "small", "large", "round", "soft", "loud", "early", "late", "warm", "cold", "plain", "sweet",
    "quick", "slow",
)  # fmt: skip


@pytest.fixture(scope="session")
def trainers() -> Iterator[Any]:
    """Starts trainers; whatever still runs at the end is killed."""
    from train_processes import open_server

    found = open_server()
    yield found
    found.end_all()
    found.server.kill()
    found.server.wait()


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 40 questions and answers of different lengths."""
    file = tmp_path_factory.mktemp("data") / "pairs.jsonl"
    rows = []
    for number in range(40):
        words = [WORDS[(number * 5 + place * 3) % len(WORDS)] for place in range(1 + number % 7)]
        rows.append({"prompt": f"Say {' and '.join(words)} in capitals.", "completion": " ".join(words).upper()})
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def _llama(**changes: Any) -> Any:
    from transformers import LlamaConfig

    return LlamaConfig(
        **{
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "vocab_size": 256,
            "max_position_embeddings": 128,
            "tie_word_embeddings": True,
            "bos_token_id": 0,
            "eos_token_id": 0,
            **changes,
        }
    )


def _qwen2() -> Any:
    from transformers import Qwen2Config

    return Qwen2Config(
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=256,
        max_position_embeddings=128,
        tie_word_embeddings=False,
        bos_token_id=0,
        eos_token_id=0,
    )


def _gpt2() -> Any:
    from transformers import GPT2Config

    return GPT2Config(
        n_embd=64, n_layer=2, n_head=4, vocab_size=256, n_positions=128, bos_token_id=0, eos_token_id=0,
        attn_pdrop=0.0, embd_pdrop=0.0, resid_pdrop=0.0,
    )  # fmt: skip


def _opt() -> Any:
    from transformers import OPTConfig

    return OPTConfig(
        hidden_size=64, ffn_dim=96, num_hidden_layers=2, num_attention_heads=4, vocab_size=256,
        max_position_embeddings=128, word_embed_proj_dim=64, dropout=0.0, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip


CONFIGS: dict[str, Callable[[], Any]] = {"llama": _llama, "qwen2": _qwen2, "gpt2": _gpt2, "opt": _opt}


@pytest.fixture
def make_model() -> Callable[[str], Any]:
    """A random model of an architecture, its weights large enough that answers differ."""

    def make(kind: str) -> Any:
        import torch
        from transformers import AutoModelForCausalLM

        torch.set_num_threads(1)
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(CONFIGS[kind]())
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(4.0 if parameter.ndim > 1 else 1.0)
        return model.eval()

    return make


@pytest.fixture
def model_folder(make_model: Callable[[str], Any], tmp_path: Path) -> Callable[[str], Path]:
    """Such a model as a folder of safetensors."""

    def make(kind: str) -> Path:
        folder = tmp_path / kind
        if not folder.exists():
            make_model(kind).save_pretrained(folder)
        return folder

    return make


@pytest.fixture
def skeleton_of_kind() -> Callable[[str], Any]:
    """The skeleton of such a model."""

    def make(kind: str) -> Any:
        from workbench.engine.skeletons import build_skeleton

        return build_skeleton(CONFIGS[kind]())

    return make
