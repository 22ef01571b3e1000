"""PEFT's config of a bottleneck adapter, or of an AdapterFusion over some."""

from __future__ import annotations

from dataclasses import dataclass, field

from peft import PeftConfig


@dataclass
class BottleneckConfig(PeftConfig):
    """Where the adapters stand and how they are made; saved as PEFT's adapter_config.json."""

    target_modules: set[str] | list[str] | str | None = field(
        default=None, metadata={"help": "Full names of the modules that carry an adapter, or a regular expression."}
    )
    exclude_modules: set[str] | list[str] | str | None = field(
        default=None, metadata={"help": "Modules that carry none after all."}
    )
    placement: str = field(
        default="houlsby",
        metadata={"help": "houlsby, pfeiffer (behind a module) or parallel (beside it, reading its input)."},
    )
    reads: str | None = field(
        default=None,
        metadata={"help": "Of a parallel adapter: the sibling whose input it reads, a norm; its own module's if none."},
    )
    width: int = field(default=0, metadata={"help": "Width of what is adapted."})
    bottleneck_size: int = field(default=16, metadata={"help": "Width of the bottleneck."})
    non_linearity: str = field(default="relu", metadata={"help": "A name of transformers.activations.ACT2FN."})
    scale: float = field(default=1.0, metadata={"help": "What an adapter's output is multiplied by."})
    dropout: float = field(default=0.0, metadata={"help": "Dropout on an adapter's output."})
    fuse: list[str] | None = field(
        default=None, metadata={"help": "AdapterFusion: names of the adapters, loaded before, that are combined."}
    )
    modules_to_save: list[str] | None = field(default=None, metadata={"help": "Modules trained and saved whole."})

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type = "BOTTLENECK"
        if isinstance(self.target_modules, list):
            self.target_modules = set(self.target_modules)
