"""The process before torch: threads, quiet libraries, and what need not be imported."""

from __future__ import annotations

import logging
import os
import sys
import warnings

import psutil

from workbench.core.files import read_json
from workbench.core.methods.shared_knobs import FULL_PRECISION
from workbench.core.models.locate import locate_model
from workbench.core.models.ready import cached_skeleton
from workbench.core.models.stored import read_stored
from workbench.core.places import Workspace
from workbench.core.recipe import Recipe

SPIN_COUNT = "1000"
"""Turns that an OpenMP thread waits before it sleeps. The default spins for good: two threads on a busy two-core
machine then train at a quarter of the speed of one."""

NICENESS = 10
"""A trainer at nice 10 costs itself 5 % and keeps a screen's redraws on the same cores as quick as with none."""

NOISY = (
    "bitsandbytes.backends.cpu.ops",
    "bitsandbytes.autograd._functions",
    "bitsandbytes.cextension",
    "torch.distributed.elastic.multiprocessing.redirects",
)
"""Loggers that speak of things a person can do nothing about."""


def physical_cores() -> int:
    """Physical cores that this process may use."""
    cores = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    return max(1, min(cores, allowed))


OPTIMIZERS_OF_BITSANDBYTES = ("adamw_8bit", "paged_adamw", "paged_adamw_8bit")


def needs_bitsandbytes(recipe: Recipe, workspace: Workspace) -> bool:
    """Whether the method's quantised base, the optimizer or the model's own checkpoint comes from bitsandbytes.

    A Hub model that nobody has looked at yet may need it.
    """
    quantised = recipe.method.knobs.get("quantisation", FULL_PRECISION) != FULL_PRECISION
    if quantised or recipe.training.optimizer in OPTIMIZERS_OF_BITSANDBYTES:
        return True
    skeleton = cached_skeleton(recipe.model, workspace)
    place = locate_model(recipe.model.path, needs_weights=False)
    if skeleton is not None:
        stored = skeleton.stored
    elif place.path is not None:
        config = read_json(place.path / "config.json") if place.path.is_dir() else None
        stored = read_stored(config) if isinstance(config, dict) else None
    else:
        return True
    return stored is not None and stored.by_bitsandbytes


def prepare_environment(threads: int | None = None, with_bitsandbytes: bool = True) -> None:
    """Set what must stand before torch is imported: CPU threads (null: one per physical core) and quiet libraries.

    Libraries that a trainer has no use for are made unimportable: bitsandbytes where nothing needs it (0.9 s), and
    datasets with its pandas (0.7 s), which Transformers imports wherever it finds it.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")  # nothing is compiled here, and importing the compiler takes 2 s
    os.environ.setdefault("TQDM_DISABLE", "1")  # a bar in a log file is a line of thousands of characters
    _see_one_gpu()
    if threads is not None or "OMP_NUM_THREADS" not in os.environ:
        os.environ["OMP_NUM_THREADS"] = str(threads or physical_cores())
    unused = ["datasets", "sklearn"] if with_bitsandbytes else ["datasets", "sklearn", "bitsandbytes"]
    for name in unused:
        if name not in sys.modules:
            sys.modules[name] = None  # type: ignore[assignment]
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", message=".*fan_in_fan_out.*")


def _see_one_gpu() -> None:
    """Show a process that was not started as one of several the first GPU alone.

    With more in sight, Trainer splits every batch over all of them in one process, which is slower and cuts our
    flattened labels in the wrong places.
    """
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")  # nvidia-smi's order
    if "WORLD_SIZE" not in os.environ:
        os.environ["CUDA_VISIBLE_DEVICES"] = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]


def be_nice() -> None:
    """Give way to whoever types: lower this process's priority once."""
    if hasattr(os, "nice"):
        try:
            os.nice(NICENESS)
        except OSError:
            return
