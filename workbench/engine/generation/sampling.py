"""How the next token is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch

from workbench.core.errors import UserError
from workbench.core.knobs import knob, section_from


@dataclass(frozen=True, slots=True)
class Sampling:
    """The sampler's settings, the same for every side."""

    temperature: float = knob(0.0, "0 takes the likeliest token; higher values spread the choice.", low=0.0, high=100.0)
    top_p: float = knob(1.0, "Only the likeliest tokens that hold this share together.", above=0.0, high=1.0)
    max_new_tokens: int = knob(256, "Most tokens of one answer.", low=1, high=1_048_576, unit="tokens")
    seed: int = knob(0, "Seed of the choice.", low=0, high=2**32 - 1)


def sampling_from(values: Mapping[str, Any]) -> Sampling:
    """A checked sampler from plain values, others among them left alone; UserError names what cannot be used."""
    known = {item.name for item in fields(Sampling)}
    return section_from(Sampling, {key: value for key, value in values.items() if key in known}, "chat")


class Chooser:
    """Chooses one side's tokens. Choosers of one seed see the same random numbers, in the same order."""

    def __init__(self, sampling: Sampling) -> None:
        self.sampling = sampling
        self._random = torch.Generator(device="cpu").manual_seed(sampling.seed)

    def choose(self, logits: torch.Tensor) -> int:
        """A token from logits of shape [vocabulary].

        Greedy at temperature 0; else by inverting the cumulative distribution at one uniform number, over the nucleus
        of `top_p` (Holtzman et al. 2020, section 3.1), so that near-equal distributions give the same token.
        UserError where the logits are not numbers, as after a training run that diverged.
        """
        if self.sampling.temperature == 0.0:
            best = int(logits.argmax())
            if not bool(torch.isfinite(logits[best])):
                raise _broken()
            return best
        scores = logits.detach().to("cpu", torch.float32) / self.sampling.temperature
        shares, order = torch.softmax(scores, dim=-1).sort(descending=True, stable=True)
        if not bool(torch.isfinite(shares[0])):
            raise _broken()
        sums = shares.cumsum(-1)
        if self.sampling.top_p < 1.0:
            kept = int((sums - shares < self.sampling.top_p).sum())
            sums = sums[: max(1, kept)]
        drawn = torch.rand((), generator=self._random) * sums[-1]
        place = int(torch.searchsorted(sums, drawn, right=True))
        return int(order[min(place, len(sums) - 1)])


def _broken() -> UserError:
    return UserError(
        "The model's scores are not numbers: its training diverged; train again with a lower learning rate."
    )
