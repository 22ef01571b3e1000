"""The memory that a run really takes, at its peak.

Two words, used alike everywhere. *Tensors* (`allocated`) are what torch's allocator has handed out: weights,
activations and the like. The *process* is all that the operating system or the driver counts: tensors, what the
allocator keeps besides, and Python with its libraries. A GPU's allocator also says what it has *reserved*.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import torch

PROC = Path("/proc/self")


class PeakMemory:
    """Peaks since `restart`."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

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
        """Peaks in bytes: `allocated` by tensors, `reserved` by the allocator, the `process` as a whole.

        On a CPU no allocator counts: the first two are null, and the process is its resident size. On a GPU the process
        is what the driver says of it now, null where it does not.
        """
        if self.device.type == "cuda":
            return {
                "allocated": torch.cuda.max_memory_allocated(self.device),
                "reserved": torch.cuda.max_memory_reserved(self.device),
                "process": _process_on_gpu(),
            }
        return {"allocated": None, "reserved": None, "process": _peak_rss()}


class CountedTensors:
    """Counts what torch's CPU allocator hands out between `start` and `stop`; `peak` is in bytes, None elsewhere.

    The counting takes memory and time of its own, so it is for a step or two.
    """

    def __init__(self, device: torch.device) -> None:
        self.peak: int | None = None
        self._cpu = device.type == "cpu"
        self._before = 0
        self._profiler: Any = None

    def start(self, model: Any, optimizer: Any) -> None:
        """Count from now; the model and the optimizer's states are there already."""
        if self._cpu:
            self._before = _held_by(model, optimizer)
            self._profiler = torch.profiler.profile(
                activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True, acc_events=True
            )
            self._profiler.__enter__()

    def stop(self) -> None:
        """Read the peak."""
        if self._profiler is None:
            return
        self._profiler.__exit__(None, None, None)
        events = self._profiler.profiler.kineto_results.events()
        changes = sorted((one.start_ns(), one.nbytes()) for one in events if one.name() == "[memory]")
        now = highest = self._before
        for _, change in changes:
            now += change
            highest = max(highest, now)
        self.peak = highest


def _held_by(model: Any, optimizer: Any) -> int:
    """Bytes of a model's parameters, buffers and tensors in dictionaries, and of optimizer states; shared ones once.

    SHiRA, for one, holds its places in a dictionary of its own.
    """
    from itertools import chain

    optimizer = getattr(optimizer, "optimizer", optimizer)  # accelerate wraps it
    states = (one for state in optimizer.state.values() for one in state.values() if isinstance(one, torch.Tensor))
    aside = (
        one
        for module in model.modules()
        for held in vars(module).values()
        if isinstance(held, dict)
        for one in held.values()
        if isinstance(one, torch.Tensor)
    )
    storages = {
        tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
        for tensor in chain(model.parameters(), model.buffers(), aside, states)
    }
    return sum(storages.values())


def _process_on_gpu() -> int | None:
    """What the driver counts for this process on its GPU, or None where it does not tell (as in many containers)."""
    command = shutil.which("nvidia-smi")
    if not command:
        return None
    try:
        answer = subprocess.run(
            [command, "--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"],
            capture_output=True, text=True, timeout=10, check=True,
        ).stdout  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    for line in answer.splitlines():
        pid, _, used = line.partition(", ")
        with contextlib.suppress(ValueError):
            if int(pid) == os.getpid():
                return int(used) * 2**20
    return None


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
