"""Batches: rows as tensors, with labels where there is a loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data import Dataset

from workbench.core.data.tokens.example import Example

NO_LOSS = -100
"""The label of a token without a loss."""

COUNTS = "token_counts"
"""Key of a batch's two counts: tokens that are not padding, and tokens with a loss. Not for the model."""

Rows = tuple[Example, ...]
"""The rows of one sequence: one, or several where rows are packed."""


class OrderedRows(Dataset[Rows]):
    """The sequences of a whole run, in the order in which they are trained on."""

    def __init__(self, examples: Sequence[Example], sequences: Sequence[tuple[int, ...]]) -> None:
        self.examples = examples
        self.sequences = sequences

    def __len__(self) -> int:
        return len(self.sequences)

    def __getitem__(self, index: int) -> Rows:
        return tuple(self.examples[row] for row in self.sequences[index])


@dataclass(frozen=True)
class Collator:
    """Makes a batch of sequences, filled up on the right.

    Gives input_ids and labels, shape [sequences, tokens], and attention_mask where nothing is packed. Packed rows get
    position_ids that start again at 0 with every row, and no mask: Transformers then lets each row attend to itself
    alone, and padding counts as rows of one token.
    """

    pad_id: int
    packed: bool = False
    keeps_logits: bool = False
    """Whether the model computes logits only where there is a loss: `logits_to_keep` as a mask of shape
    [sequences, tokens], and `shift_labels` with the next token of each kept place."""

    def __call__(self, sequences: Sequence[Rows]) -> dict[str, Any]:
        longest = max(sum(len(row) for row in rows) for rows in sequences)
        shape = (len(sequences), longest)
        ids = torch.full(shape, self.pad_id)
        labels = torch.full(shape, NO_LOSS)
        mask = torch.zeros(shape, dtype=torch.long)
        places = torch.zeros(shape, dtype=torch.long)
        for number, rows in enumerate(sequences):
            start = 0
            for row in rows:
                end = start + len(row)
                tokens = torch.tensor(row.ids)
                trained = torch.tensor(row.trained)
                trained[0] = False  # nothing comes before it; in a packed sequence, only another row
                ids[number, start:end] = tokens
                labels[number, start:end] = tokens.masked_fill(~trained, NO_LOSS)
                mask[number, start:end] = 1
                places[number, start:end] = torch.arange(end - start)
                start = end
        shifted = torch.nn.functional.pad(labels, (0, 1), value=NO_LOSS)[:, 1:]
        kept = shifted != NO_LOSS
        batch: dict[str, Any] = {"input_ids": ids, "labels": labels}
        batch.update({"position_ids": places} if self.packed else {"attention_mask": mask})
        if self.keeps_logits:
            batch.update(logits_to_keep=kept, shift_labels=shifted[kept])
        batch[COUNTS] = torch.stack([mask.sum(), kept.sum()])
        return batch
