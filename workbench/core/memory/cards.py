"""Common GPUs and their memory, to say on which of them a run would fit."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.core.errors import UserError
from workbench.core.memory.device import Device


@dataclass(frozen=True, slots=True)
class Card:
    """A GPU; `mebibytes` is about what its driver reports, often less than its name says; not measured here."""

    name: str
    mebibytes: int

    @property
    def device(self) -> Device:
        """The card with nothing else on it."""
        return Device("cuda", self.name, self.mebibytes * 2**20, self.mebibytes * 2**20)


CARDS = (
    Card("RTX 4060 Laptop 8 GB", 8_188),
    Card("RTX 3060 12 GB", 12_288),
    Card("RTX 4070 12 GB", 12_282),
    Card("T4 16 GB", 15_360),
    Card("RTX 4080 16 GB", 16_376),
    Card("V100 16 GB", 16_384),
    Card("L4 24 GB", 23_034),
    Card("RTX 4090 24 GB", 24_564),
    Card("RTX 3090 24 GB", 24_576),
    Card("V100 32 GB", 32_768),
    Card("RTX 5090 32 GB", 32_607),
    Card("A100 40 GB", 40_960),
    Card("L40S 48 GB", 46_068),
    Card("RTX A6000 48 GB", 49_140),
    Card("H100 80 GB", 81_559),
    Card("A100 80 GB", 81_920),
    Card("RTX PRO 6000 96 GB", 97_887),
    Card("H200 141 GB", 143_771),
    Card("B200 192 GB", 183_359),
)
"""From a laptop's to a data centre's, by memory. The names hold the size that NVIDIA's data sheets give."""


def card_named(word: str) -> Card:
    """The card whose name holds `word`; of several, the smallest. UserError lists them where there is none."""
    wanted = word.lower().replace("-", " ").replace("_", " ").split()
    for card in CARDS:
        if wanted and all(part in card.name.lower() for part in wanted):
            return card
    raise UserError(f"There is no card {word[:40]!r} in the table; it has {', '.join(card.name for card in CARDS)}.")
