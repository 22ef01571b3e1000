"""PEFT's kinds of adapters with their default settings on one model, for the closed form against the trace."""

from __future__ import annotations

from memory_sweep import Line

KINDS = (
    "LOHA", "LOKR", "FOURIERFT", "WAVEFT", "HIRA", "SHIRA", "HRA", "C3A", "ROAD", "UNILORA", "VBLORA", "LILY",
    "TINYLORA", "BEFT", "DELORA", "GRALORA", "PVERA", "VERA", "OFT", "MISS", "IA3", "LN_TUNING", "LORA", "RANDLORA",
    "BOFT", "OSF", "PROMPT_TUNING",
)  # fmt: skip

LINES: list[Line] = [
    ("tinyllama-1.1b", {"name": "peft", "kind": kind}, length, extra)
    for kind in KINDS
    for length, extra in (
        (2048, {}),
        (1024, {"micro_batch": 2, "effective_batch": 2, "autocast": False}),
        (1024, {"precision": "float32", "autocast": True, "gradient_checkpointing": True}),
    )
]
