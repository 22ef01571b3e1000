"""What this machine has, what is missing, and what to do about it. Nothing heavy is imported to find out."""

from __future__ import annotations

import locale
import os
import platform
import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from workbench.core.memory.device import cpu_device, list_gpus
from workbench.core.places import Workspace, sample_folder, tiny_folder

REQUIRED = (
    "torch", "transformers", "peft", "accelerate", "datasets", "tokenizers", "safetensors", "gguf", "textual",
    "pyarrow", "jinja2", "psutil", "pyyaml", "sentencepiece", "platformdirs",
)  # fmt: skip
OPTIONAL = {"bitsandbytes": "QLoRA and the 8-bit and paged optimizers need it"}

FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_tile", "amx_bf16")
"""CPU instructions that decide how fast float32 and bfloat16 are."""

LOW_DISK = 2 * 10**9
"""Bytes; a small model's checkpoints fit below it, a converted one may not."""


def examine_machine(workspace: Workspace) -> dict[str, Any]:
    """Everything about this machine that a run depends on; sizes in bytes.

    `missing` is a list of {"what", "do"}: what is not there and what helps.
    """
    report: dict[str, Any] = {
        "python": {"version": platform.python_version(), "executable": sys.executable, "platform": platform.platform()},
        "packages": {name: _version(name) for name in ("workbench", *REQUIRED, *OPTIONAL)},
        "cpu": _cpu(),
        "gpus": [gpu.to_json() for gpu in list_gpus()],
        "driver": shutil.which("nvidia-smi"),
        "workspace": _workspace(workspace),
        "hub": _hub(),
        "terminal": _terminal(),
        "bundled": {"model": (tiny_folder() / "model.safetensors").is_file(), "samples": sample_folder().is_dir()},
    }
    return {**report, "missing": _missing(report)}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _cpu() -> dict[str, Any]:
    import psutil

    device = cpu_device()
    flags = _flags()
    return {
        "name": _cpu_name(),
        "cores": psutil.cpu_count(logical=False),
        "threads": psutil.cpu_count(logical=True),
        "usable": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else psutil.cpu_count(),
        "memory": device.total,
        "free": device.free,
        "flags": None if flags is None else {flag: flag in flags for flag in FLAGS},
    }


def _cpu_lines(key: str) -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            return next((line.partition(":")[2].strip() for line in file if line.startswith(key)), "")
    except OSError:
        return ""


def _flags() -> set[str] | None:
    """The instructions of the first core; None where the system does not list them."""
    text = _cpu_lines("flags") or _cpu_lines("Features")
    return set(text.split()) if text else None


def _cpu_name() -> str:
    return _cpu_lines("model name") or platform.processor() or platform.machine()


def _workspace(workspace: Workspace) -> dict[str, Any]:
    usage = shutil.disk_usage(workspace.root)
    return {"path": str(workspace.root), "free": usage.free, "total": usage.total}


def _hub() -> dict[str, Any]:
    """Where the Hub's cache is, by its own rules (HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME), and whether it is offline."""
    home = os.environ.get("HF_HOME") or str(
        Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface"
    )
    cache = Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub").expanduser()
    try:
        models = sum(path.name.startswith("models--") for path in cache.iterdir())
    except OSError:
        models = 0
    switches = (os.environ.get(name, "").upper() for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))
    offline = any(switch in ("1", "TRUE", "YES", "ON") for switch in switches)
    return {"cache": str(cache), "models": models, "offline": offline}


def _terminal() -> dict[str, Any]:
    size = shutil.get_terminal_size((0, 0))
    encoding = (sys.stdout.encoding or locale.getpreferredencoding(False)).lower()
    return {
        "live": sys.stdout.isatty(),
        "columns": size.columns,
        "rows": size.lines,
        "term": os.environ.get("TERM"),
        "colours": _colours(),
        "utf8": encoding.replace("-", "") == "utf8",
        "ssh": "SSH_CONNECTION" in os.environ,
    }


def _colours() -> str:
    term = os.environ.get("TERM", "")
    if os.environ.get("NO_COLOR"):
        return "none (NO_COLOR is set)"
    if os.environ.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return "16 million"
    if term in ("", "dumb"):
        return "none"
    return "256" if "256color" in term else "16"


def _missing(report: dict[str, Any]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []

    def note(what: str, do: str) -> None:
        found.append({"what": what, "do": do})

    absent = [name for name in REQUIRED if report["packages"][name] is None]
    if absent:
        note(f"The packages {', '.join(absent)} are not installed.", f"pip install {' '.join(absent)}")
    for name, reason in OPTIONAL.items():
        if report["packages"][name] is None:
            note(f"{name} is not installed; {reason}.", f"pip install {name}")
    if report["driver"] and not report["gpus"]:
        note("nvidia-smi is there but lists no GPU.", "Run nvidia-smi and read what it says; the driver may not run.")
    if not report["gpus"]:
        note(
            "There is no NVIDIA GPU; runs use the CPU.",
            "Small models need none; larger ones do.",
        )
    if report["workspace"]["free"] < LOW_DISK:
        note("The workspace's disk is nearly full.", "Free some space, or name another workspace with --workspace.")
    terminal = report["terminal"]
    if not terminal["utf8"]:
        note("The output is not UTF-8; plain letters stand in for bars and arrows.", "export LANG=C.UTF-8")
    if terminal["live"] and (terminal["columns"] < 60 or terminal["rows"] < 20):
        note(
            "The terminal is smaller than 60x20, too small for the app.",
            "Make the window larger.",
        )
    if not report["bundled"]["model"]:
        note("The bundled model tiny is not there.", f"workbench pretrain tiny --to {tiny_folder()}")
    if not report["bundled"]["samples"]:
        note("The bundled samples are not there.", "Install workbench again.")
    return found
