"""The workspace of cuBLAS, which torch takes from its own allocator (CUDABlas.cpp, parseChosenWorkspaceSize)."""

from __future__ import annotations

DEFAULT = 8_519_680
"""Bytes: 4,096 KiB twice and 16 KiB eight times."""

HOPPER = 32 * 2**20
"""Bytes on GPUs of compute capability 9 and 10."""

LARGE = ("H100", "H200", "H800", "GH200", "B100", "B200", "GB200", "B300", "GB300")
"""Words in the names of those GPUs."""


def workspace_bytes(kind: str, name: str) -> int:
    """Bytes on a device of this kind (cuda or cpu) and name; none on a CPU."""
    if kind != "cuda":
        return 0
    return HOPPER if any(word in name for word in LARGE) else DEFAULT
