"""The tokenizer of a GGUF file, with what Transformers' own reading leaves out put back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workbench.core.errors import UserError
from workbench.engine.gguf.header import GgufHeader

DIGITS = frozenset(("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"))
"""Values of tokenizer.ggml.pre for which llama.cpp cuts single digits apart, then splits as GPT-2 does."""

GPT2 = frozenset(("", "default", "gpt-2", "mpt", "olmo", "phi-2", "jais", "trillion", "roberta-bpe"))
"""Values that split as GPT-2 does; nothing stated is read so too."""


def convert_tokenizer(file: Path, header: GgufHeader, into: Path) -> None:
    """Write tokenizer.json, its config and the chat template; UserError where text would be split in another way."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name, trust_remote_code=False)
        backend = tokenizer.backend_tokenizer
    except Exception as error:  # tokenizers raises bare Exception
        raise UserError(
            f"{file.name} has a tokenizer that this version of Transformers cannot convert; "
            "use the model's safetensors folder instead.",
            f"{type(error).__name__}: {error}",
        ) from error
    _put_splitting_back(file, header, backend)
    _put_start_token_back(header, tokenizer, backend)
    length = header.of_architecture("context_length")
    if length:
        tokenizer.model_max_length = int(length)
    tokenizer.save_pretrained(into)


def _put_splitting_back(file: Path, header: GgufHeader, backend: Any) -> None:
    """Split text before merging as llama.cpp does for this `tokenizer.ggml.pre`.

    Transformers knows the values that stand for one regular expression, and takes GPT-2's splitting for all others.
    """
    from tokenizers import pre_tokenizers

    if header.metadata.get("tokenizer.ggml.model") != "gpt2":
        return
    pre = str(header.metadata.get("tokenizer.ggml.pre", ""))
    if pre in DIGITS:
        backend.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
            ]
        )
    elif pre not in GPT2 and isinstance(backend.pre_tokenizer, pre_tokenizers.ByteLevel):
        raise UserError(
            f"{file.name} splits text in a way that is not known here (tokenizer.ggml.pre is {pre}); "
            "use the model's safetensors folder instead."
        )


def _put_start_token_back(header: GgufHeader, tokenizer: Any, backend: Any) -> None:
    """Put the start token before plain text exactly where the file asks for it."""
    from tokenizers.processors import TemplateProcessing

    bos = tokenizer.bos_token
    if bos is None:
        return
    wanted = header.metadata.get("tokenizer.ggml.add_bos_token")
    if wanted is None:
        wanted = header.metadata.get("tokenizer.ggml.model") == "llama"
    token = backend.token_to_id(bos)
    if (backend.encode("").ids[:1] == [token]) != bool(wanted):
        backend.post_processor = TemplateProcessing(
            single=f"{bos} $A" if wanted else "$A",
            pair=f"{bos} $A {bos} $B" if wanted else "$A $B",
            special_tokens=[(bos, token)] if wanted else [],
        )
