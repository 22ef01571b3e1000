"""The command line's entry: `workbench` and `python -m workbench`."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that `arguments` (else the process's own) name; the exit status."""
    gc.set_threshold(200_000, 20, 20)  # each look of the default's 700 costs a start up to 10 ms and finds nothing
    try:
        from workbench.cli.command import run_command

        return run_command(list(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped.\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
