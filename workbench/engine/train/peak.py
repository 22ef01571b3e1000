"""The memory that a run really takes, at its peak."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil
import torch

PROC = Path("/proc/self")


class PeakMemory:
    """Peaks since `restart`. Made before the model is loaded: what the process took until then is not the run's."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.before = psutil.Process().memory_info().rss

    def restart(self) -> None:
        """Forget the peaks so far, such as those of loading the model."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        if (PROC / "clear_refs").exists():
            try:
                (PROC / "clear_refs").write_text("5", encoding="ascii")
            except OSError:
                return

    def read(self) -> dict[str, int | None]:
        """Peaks in bytes: `allocated` by tensors, `reserved` by the allocator, `process` as a whole.

        On a CPU no allocator counts; `allocated` is then what the process grew by since before the model was loaded,
        and `reserved` is null.
        """
        if self.device.type == "cuda":
            return {
                "allocated": torch.cuda.max_memory_allocated(self.device),
                "reserved": torch.cuda.max_memory_reserved(self.device),
                "process": None,
            }
        peak = _peak_rss()
        return {"allocated": max(0, peak - self.before), "reserved": None, "process": peak}


def _peak_rss() -> int:
    """Largest resident size of this process in bytes."""
    try:
        for line in (PROC / "status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    if os.name == "posix":
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return int(getattr(psutil.Process().memory_info(), "peak_wset", 0))
