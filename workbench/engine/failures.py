"""What libraries raise, as one sentence that a person can act on."""

from __future__ import annotations

import errno

from workbench.core.errors import RunFailedError, UserError

OUT_OF_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "std::bad_alloc",
)
NO_SPACE = (
    "No space left on device",
    "File too large",
    "Disk quota exceeded",
    "inline_container",
    "PytorchStreamWriter",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the device, or the machine, had no memory left."""
    if isinstance(error, MemoryError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and any(words.lower() in text.lower() for words in OUT_OF_MEMORY)


def is_disk_full(error: BaseException) -> bool:
    """Whether a file could not be written for want of room; torch and safetensors say so in words only."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
    return any(words in str(error) for words in NO_SPACE)


def sentence_for(error: BaseException) -> str:
    """What went wrong, in one plain sentence."""
    if isinstance(error, (UserError, RunFailedError)):
        return error.sentence
    if is_out_of_memory(error):
        return (
            "The memory ran out; lower training.micro_batch or data.max_length, "
            "or switch on training.gradient_checkpointing."
        )
    if is_disk_full(error):
        return "The disk is full; free some space and resume the run."
    first = str(error).strip().splitlines()[0] if str(error).strip() else ""
    kind = type(error).__name__
    said = f"{kind}: {first[:200]}" if first else kind
    return f"The run broke off with an error that it did not expect ({said}); the log has the details."
