"""`python -m workbench.engine.adopt FOLDER --model M --run RUNFOLDER`: one JSON line with the new run's facts."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from workbench.core.runs.folder import RunFolder, workspace_of
from workbench.engine.environment import prepare_environment
from workbench.engine.one_answer import answer_once, tell


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m workbench.engine.adopt", description=__doc__)
    parser.add_argument("folder", help="the adapter's folder")
    parser.add_argument("--model", required=True, help="its base model")
    parser.add_argument("--run", required=True, help="the run's folder, which is there and empty")
    arguments = parser.parse_args()

    def take() -> dict[str, Any]:
        prepare_environment()
        from workbench.engine.adopt.taking import adopt

        run = RunFolder(Path(arguments.run).absolute())
        return adopt(Path(arguments.folder).absolute(), arguments.model, run, workspace_of(run), tell)

    return answer_once(take, "The import", "The memory ran out; end other programs first.")


if __name__ == "__main__":
    raise SystemExit(main())
