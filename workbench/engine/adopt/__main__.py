"""`python -m workbench.engine.adopt FOLDER --model M --run RUNFOLDER`: one JSON line with the new run's facts."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from workbench.core.errors import UserError
from workbench.core.runs.folder import RunFolder
from workbench.engine.environment import prepare_environment
from workbench.engine.failures import is_out_of_memory
from workbench.engine.helper.wire import take_standard_output


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m workbench.engine.adopt", description=__doc__)
    parser.add_argument("folder", help="the adapter's folder")
    parser.add_argument("--model", required=True, help="its base model")
    parser.add_argument("--run", required=True, help="the run's folder, which is there and empty")
    arguments = parser.parse_args()
    output = take_standard_output()
    try:
        prepare_environment()
        from workbench.engine.adopt.taking import adopt
        from workbench.engine.train.setup import workspace_of

        run = RunFolder(Path(arguments.run).absolute())
        facts = adopt(Path(arguments.folder).absolute(), arguments.model, run, workspace_of(run), _tell)
    except UserError as error:
        sys.stderr.write(f"{error.sentence}\n")
        return 2
    except Exception as error:
        sentence = f"The import met an error that it did not expect ({type(error).__name__}: {error})."
        if is_out_of_memory(error):
            sentence = "The memory ran out; end other programs first."
        sys.stderr.write(f"{sentence}\n")
        return 1
    os.write(output, json.dumps(facts).encode() + b"\n")
    return 0


def _tell(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    raise SystemExit(main())
