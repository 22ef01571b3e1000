"""Small models of several architectures as config.json folders."""

import json

import pytest

CONFIGS = {
    "llama": {"hidden_size": 256, "intermediate_size": 704, "num_attention_heads": 8, "num_key_value_heads": 2},
    "qwen3": {"hidden_size": 256, "intermediate_size": 704, "num_attention_heads": 8, "num_key_value_heads": 2,
              "head_dim": 48},
    "gpt2": {"n_embd": 256, "n_head": 8, "n_layer": 4, "n_positions": 2048},
    "opt": {"hidden_size": 256, "ffn_dim": 1024, "num_attention_heads": 8, "word_embed_proj_dim": 256},
    "gpt_neox": {"hidden_size": 256, "intermediate_size": 1024, "num_attention_heads": 8},
}  # fmt: skip


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A folder with nothing but a config.json for each architecture above, by model type."""
    root = tmp_path_factory.mktemp("models")
    for kind, sizes in CONFIGS.items():
        (root / kind).mkdir()
        values = {"vocab_size": 8192, "num_hidden_layers": 4, "max_position_embeddings": 2048, **sizes}
        (root / kind / "config.json").write_text(json.dumps({"model_type": kind, **values}))
    return root
