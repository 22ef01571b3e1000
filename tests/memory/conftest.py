"""Small models of several architectures as config.json folders."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from workbench.core.recipe import recipe_to_mapping

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


@pytest.fixture(scope="session")
def peak_of():
    """`peak_of(recipe, rows, kind="cuda", whole=False, uneven=False, loop=None)`: a recipe's traced peak as JSON values.

    `uneven` False traces as the program does, True has every pattern of layers found uneven, None fails where one is.
    """
    tracer = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("tracer.py"))],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip

    def ask(recipe, rows, kind="cuda", whole=False, uneven=False, loop=None):
        asked = {
            "recipe": recipe_to_mapping(recipe),
            "rows": asdict(rows),
            "kind": kind,
            "whole": whole,
            "loop": loop or {},
        }
        tracer.stdin.write(json.dumps({**asked, "uneven": uneven}) + "\n")
        tracer.stdin.flush()
        answer = json.loads(tracer.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer

    yield ask
    tracer.stdin.close()
    tracer.wait(60)
