"""Common GPUs and their memory, to say on which of them a run would fit."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.core.errors import UserError
from workbench.core.memory.device import Device


@dataclass(frozen=True, slots=True)
class Card:
    """A GPU. The name's gigabytes are the vendor's; `mebibytes` are what nvidia-smi lists as total, often less.

    The totals were looked up in logs of nvidia-smi in public repositories, but for the V100 with 16 GB, of which no log
    was found; drivers of several years differ by up to 2 %, and where ECC can be switched, they are with it as the card
    comes. The documents were not opened, and no card of the table was measured here.
    """

    name: str
    mebibytes: int
    sheet: str
    """NVIDIA's document that the size in the name can be checked in; it was not looked up."""

    @property
    def device(self) -> Device:
        """The card with nothing else on it."""
        return Device("cuda", self.name, self.mebibytes * 2**20, self.mebibytes * 2**20)


CARDS = (
    Card("RTX 4060 Laptop 8 GB", 8_188, "GeForce RTX 40 laptops, specifications: 8 GB GDDR6"),
    Card("RTX 3060 12 GB", 12_288, "GeForce RTX 3060 family, specifications: 12 GB GDDR6"),
    Card("RTX 4070 12 GB", 12_282, "GeForce RTX 4070 family, specifications: 12 GB GDDR6X"),
    Card("T4 16 GB", 15_360, "T4 data sheet: 16 GB GDDR6"),
    Card("RTX 4080 16 GB", 16_376, "GeForce RTX 4080 family, specifications: 16 GB GDDR6X"),
    Card("V100 16 GB", 16_384, "V100 data sheet: 16 GB HBM2"),
    Card("L4 24 GB", 23_034, "L4 data sheet: 24 GB GDDR6"),
    Card("RTX 4090 24 GB", 24_564, "GeForce RTX 4090, specifications: 24 GB GDDR6X"),
    Card("RTX 3090 24 GB", 24_576, "GeForce RTX 3090 family, specifications: 24 GB GDDR6X"),
    Card("V100 32 GB", 32_768, "V100 data sheet: 32 GB HBM2"),
    Card("RTX 5090 32 GB", 32_607, "GeForce RTX 5090, specifications: 32 GB GDDR7"),
    Card("A100 40 GB", 40_960, "A100 data sheet: 40 GB HBM2"),
    Card("L40S 48 GB", 46_068, "L40S data sheet: 48 GB GDDR6 with ECC"),
    Card("RTX A6000 48 GB", 49_140, "RTX A6000 data sheet: 48 GB GDDR6 with ECC"),
    Card("H100 80 GB", 81_559, "H100 data sheet: 80 GB HBM3"),
    Card("A100 80 GB", 81_920, "A100 80GB data sheet: 80 GB HBM2e"),
    Card("RTX PRO 6000 96 GB", 97_887, "RTX PRO 6000 Blackwell data sheet: 96 GB GDDR7 with ECC"),
    Card("H200 141 GB", 143_771, "H200 data sheet: 141 GB HBM3e"),
    Card("B200 192 GB", 183_359, "Blackwell architecture brief: 192 GB HBM3e a GPU"),
)
"""From a laptop's to a data centre's, by memory."""


def card_named(word: str) -> Card:
    """The card whose name holds `word`; of several, the smallest. UserError lists them where there is none."""
    wanted = word.lower().replace("-", " ").replace("_", " ").split()
    for card in CARDS:
        if wanted and all(part in card.name.lower() for part in wanted):
            return card
    raise UserError(f"There is no card {word[:40]!r} in the table; it has {', '.join(card.name for card in CARDS)}.")
