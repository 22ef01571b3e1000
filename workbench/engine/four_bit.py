"""bitsandbytes' 4-bit layers on a CPU: one kernel for training and for answering."""

from __future__ import annotations

from transformers import PreTrainedModel


def keep_one_kernel(model: PreTrainedModel) -> None:
    """Keep the model's 4-bit layers from the kernel that bitsandbytes takes where no gradient is asked for.

    On CPUs with AVX512-BF16 it repacks a 4-bit weight at its first forward pass in evaluation mode and does not undo
    that in training mode: from then on every gradient below it is zero, and nothing says so. The repacking also fails
    on matrices whose inner size is no multiple of the block of 64, and answers 0.4 % away from what was trained.
    """
    import bitsandbytes

    for module in model.modules():
        if isinstance(module, bitsandbytes.nn.Linear4bit):
            module.support_avx512bf16_for_cpu = False
