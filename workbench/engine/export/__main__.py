"""`python -m workbench.engine.export RUNFOLDER --to DIR [--merge]`: one JSON line with `path` and `bytes`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from workbench.core.errors import RunFailedError, UserError
from workbench.core.places import Workspace, find_workspace
from workbench.engine.environment import prepare_environment
from workbench.engine.export.target import check_export
from workbench.engine.failures import is_out_of_memory
from workbench.engine.helper.wire import take_standard_output
from workbench.engine.results import read_run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m workbench.engine.export", description=__doc__)
    parser.add_argument("run", help="the run's folder")
    parser.add_argument("--to", required=True, help="the folder to write, which must be new or empty")
    parser.add_argument("--merge", action="store_true", help="fold the adapter into the base's weights")
    parser.add_argument("--workspace", help="the folder of runs and caches; by default the one that the run is in")
    arguments = parser.parse_args()
    output = take_standard_output()
    try:
        run, recipe = read_run(arguments.run)
        check_export(run, recipe, arguments.to, arguments.merge)
        prepare_environment()
        from workbench.engine.export.results import export_run

        workspace = _workspace(run.path, arguments.workspace)
        done = export_run(run, recipe, workspace, arguments.to, arguments.merge, _tell)
    except UserError as error:
        sys.stderr.write(f"{error.sentence}\n")
        return 2
    except RunFailedError as error:
        sys.stderr.write(f"{error.sentence}\n")
        return 1
    except Exception as error:
        if is_out_of_memory(error):
            sentence = "The memory ran out; end other programs, or export the adapter without --merge."
        else:
            sentence = f"The export met an error that it did not expect ({type(error).__name__}: {error})."
        sys.stderr.write(f"{sentence}\n")
        return 1
    os.write(output, json.dumps(done).encode() + b"\n")
    return 0


def _workspace(run: Path, given: str | None) -> Workspace:
    """The workspace given, else the one that the run lies in, else the usual one."""
    if given is None and run.parent.name == "runs":
        return Workspace(run.parent.parent)
    return find_workspace(given)


def _tell(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    raise SystemExit(main())
