"""The tokenizer of the bundled base model: byte-level BPE trained on its corpus."""

from collections.abc import Sequence
from importlib.resources import files

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

VOCABULARY = 3072
LONGEST = 512
"""Tokens that the model can look back on."""

END = "<|endoftext|>"
"""Stands before every document, so it also means that what came before is over: answers end with it."""
PAD = "<|pad|>"
MARKERS = ("<|system|>", "<|user|>", "<|assistant|>")
"""Turns of a chat; pretraining never shows them."""


def train_tokenizer(documents: Sequence[str]) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer of 3,072 tokens in which every digit is a token of its own."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        min_frequency=2,
        special_tokens=[END, PAD, *MARKERS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(documents, trainer)
    return dress(tokenizer)


def dress(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    """The same tokenizer as Transformers wants it, with its special tokens named and its chat template."""
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=END,
        eos_token=END,
        pad_token=PAD,
        model_max_length=LONGEST,
        clean_up_tokenization_spaces=False,
        chat_template=files("workbench.core.tiny").joinpath("chat_template.jinja").read_text(encoding="utf-8"),
    )
