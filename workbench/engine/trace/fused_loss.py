"""A loss that computes a chunk of logits at a time and never has all of them, as Liger's and Unsloth's kernels do."""

from __future__ import annotations

from typing import Any

import torch


class _ChunkedLoss(torch.autograd.Function):
    """Liger's fused linear cross-entropy (Hsu et al. 2024, arXiv 2410.10989, section 3.2) as it allocates.

    The forward pass makes each chunk's logits and writes their gradients over them; it keeps the gradients of the
    hidden states, and of the output layer where that is trained.
    """

    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, chunk: int) -> torch.Tensor:
        rows = hidden.reshape(-1, hidden.shape[-1])
        gradient = torch.zeros_like(rows)
        grown = torch.zeros_like(weight) if weight.requires_grad else None
        losses = torch.zeros(rows.shape[0], dtype=torch.float32, device=rows.device)
        for start in range(0, rows.shape[0], chunk):
            part = rows[start : start + chunk]
            logits = torch.matmul(part, weight.t())
            gradient[start : start + chunk] = torch.matmul(logits, weight)
            if grown is not None:
                grown += torch.matmul(logits.t(), part)
            del logits
        ctx.save_for_backward(gradient.reshape(hidden.shape), grown)
        return losses.sum()

    @staticmethod
    def backward(ctx: Any, *_: torch.Tensor) -> Any:
        gradient, grown = ctx.saved_tensors
        return gradient, grown, None


def fuse_loss(model: Any, chunk: int) -> None:
    """Have a causal language model hand its hidden states to such a loss in place of logits."""
    output = model.get_output_embeddings()
    output.forward = lambda hidden: hidden

    def loss(hidden: torch.Tensor, *_: Any, **__: Any) -> Any:
        return _ChunkedLoss.apply(hidden, output.weight, chunk)

    model.loss_function = lambda **given: loss(given["logits"])
