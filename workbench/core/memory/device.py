"""The device that a run would use, asked without torch."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from typing import Any

import psutil


@dataclass(frozen=True, slots=True)
class Device:
    """A device and its memory, in bytes."""

    kind: str
    """cpu or cuda."""
    name: str
    total: int
    free: int
    """Free now, as the driver or the operating system says."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def find_device() -> Device:
    """The first visible NVIDIA GPU, else this machine's CPU and memory (a control group's limit counts)."""
    gpus = list_gpus()
    return gpus[0] if gpus else cpu_device()


def list_gpus() -> list[Device]:
    """Every NVIDIA GPU that nvidia-smi lists; empty where there is no driver."""
    command = shutil.which("nvidia-smi")
    if not command:
        return []
    import subprocess  # 13 ms, for machines with a driver only

    try:
        answer = subprocess.run(
            [command, "--query-gpu=name,memory.total,memory.free", "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    found = []
    for line in answer.splitlines():
        name, _, rest = line.rpartition(", ")
        name, _, total = name.rpartition(", ")
        if total.strip().isdigit() and rest.strip().isdigit():
            found.append(Device("cuda", name.strip(), int(total) * 2**20, int(rest) * 2**20))
    return found


def cpu_device() -> Device:
    """This machine's memory as a run on the CPU may use it."""
    memory = psutil.virtual_memory()
    limit = _group_limit()
    total = min(memory.total, limit) if limit else memory.total
    return Device("cpu", f"CPU, {psutil.cpu_count(logical=True) or 1} threads", total, min(memory.available, total))


def _group_limit() -> int | None:
    """The control group's memory limit in bytes, or None."""
    try:
        with open("/sys/fs/cgroup/memory.max", encoding="ascii") as file:  # noqa: PTH123
            text = file.read().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
