"""Make the bundled base model again: `python -m workbench.engine.pretrain --to DIR`.

Exit status: 0 finished, 1 the disk failed, 2 bad input, 130 stopped by ctrl-c with a checkpoint to resume from.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from workbench.core.errors import RunFailedError, UserError
from workbench.core.tiny.corpus import DOCUMENTS, SEED
from workbench.engine.pretrain.target import Settings, begin_run, resume_run

DEFAULTS = {"seed": SEED, "steps": 1700, "documents": DOCUMENTS}
"""What decides the figures of a run, as the bundled model was made."""

THREADS = 2


def read_whole_number(text: str, lowest: int) -> int:
    """The whole number in a command-line argument; argparse turns the error into a sentence."""
    if not text.isdecimal() or int(text) < lowest:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {lowest} up")
    return int(text)


def positive(text: str) -> int:
    """A whole number from 1 up."""
    return read_whole_number(text, 1)


def natural(text: str) -> int:
    """A whole number from 0 up."""
    return read_whole_number(text, 0)


def read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="workbench pretrain tiny", description="Pretrain the bundled base model again, from nothing."
    )
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="folder for the model")
    parser.add_argument("--seed", type=natural, help=f"seed of corpus, weights and order (default {SEED})")
    parser.add_argument("--steps", type=positive, help=f"steps of 2,048 tokens (default {DEFAULTS['steps']:,})")
    parser.add_argument("--documents", type=positive, help=f"documents in the corpus (default {DOCUMENTS:,})")
    parser.add_argument("--resume", action="store_true", help="go on with the run that was stopped in DIR")
    parser.add_argument("--checkpoint-every", type=positive, default=100, metavar="STEPS", help="default 100")
    parser.add_argument("--threads", type=positive, default=THREADS, help=f"CPU threads (default {THREADS})")
    parser.add_argument("--json", action="store_true", help="progress as one JSON object a line")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; the exit status."""
    given = read_arguments(arguments)
    # Idle OpenMP threads that spin make a busy two-core machine several times slower; read when torch is imported.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    chosen = {name: getattr(given, name) for name in DEFAULTS if getattr(given, name) is not None}
    try:
        start = resume_run(given.to, chosen) if given.resume else begin_run(given.to, Settings(**(DEFAULTS | chosen)))
        from workbench.engine.pretrain.report import Report
        from workbench.engine.pretrain.run import run_pretraining

        finished = run_pretraining(
            given.to, start,
            checkpoint_every=given.checkpoint_every, threads=given.threads, report=Report(given.json),
        )  # fmt: skip
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except RunFailedError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Stopped before the first step; nothing was lost.\n")
        return 130
    return 0 if finished else 130


if __name__ == "__main__":
    sys.exit(main())
