"""The corpus as one stream of tokens, and the batch that belongs to each step."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast

WINDOW = 256
"""Tokens of one row."""
ROWS = 8
"""Rows of one batch: 2,048 tokens a step."""


def join_documents(tokenizer: PreTrainedTokenizerFast, documents: Sequence[str]) -> np.ndarray:
    """All documents as one row of token ids, each after the separator."""
    separator = tokenizer.bos_token_id
    encoded = tokenizer.backend_tokenizer.encode_batch(list(documents), add_special_tokens=False)
    return np.array([token for each in encoded for token in (separator, *each.ids)], dtype=np.int32)


def find_inside_numbers(tokenizer: PreTrainedTokenizerFast, tokens: np.ndarray) -> np.ndarray:
    """For every token, whether it and the one before it are digits: the second digit of a number of two."""
    digit = np.isin(tokens, tokenizer.convert_tokens_to_ids(list("0123456789")))
    return digit & np.roll(digit, 1)


@lru_cache(maxsize=1)
def _shuffle(windows: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng((seed, epoch)).permutation(windows)


@dataclass(frozen=True)
class Stream:
    """Batches by step number, so that a resumed run meets exactly the batches that it would have met."""

    tokens: np.ndarray
    """All token ids."""
    inside_number: np.ndarray
    """Whether a token and the one before it are digits. No window begins there: what is left of "10 plus 2 is 12",
    "0 plus 2 is 12", would be a lie."""
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in one pass; the windows of every pass begin at another offset."""
        return (len(self.tokens) - WINDOW - 1) // WINDOW // ROWS

    def batch(self, step: int) -> torch.Tensor:
        """Token ids of shape (8, 257) for this step, counted from 0: inputs, and targets one further."""
        epoch, index = divmod(step, self.steps_per_epoch)
        windows = self.steps_per_epoch * ROWS
        offset = int(np.random.default_rng((self.seed, epoch, 1)).integers(WINDOW))
        chosen = _shuffle(windows, self.seed, epoch)[index * ROWS : (index + 1) * ROWS]
        starts = [start - self.inside_number[start] for start in chosen * WINDOW + offset]
        rows = [self.tokens[start : start + WINDOW + 1] for start in starts]
        return torch.from_numpy(np.stack(rows).astype(np.int64))
