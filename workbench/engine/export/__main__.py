"""`python -m workbench.engine.export RUNFOLDER --to DIR [--merge]`: one JSON line with `path` and `bytes`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from workbench.core.places import Workspace, find_workspace
from workbench.engine.environment import prepare_environment
from workbench.engine.export.target import check_export
from workbench.engine.one_answer import answer_once, tell
from workbench.engine.results import read_run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m workbench.engine.export", description=__doc__)
    parser.add_argument("run", help="the run's folder")
    parser.add_argument("--to", required=True, help="the folder to write, which must be new or empty")
    parser.add_argument("--merge", action="store_true", help="fold the adapter into the base's weights")
    parser.add_argument("--workspace", help="the folder of runs and caches; by default the one that the run is in")
    arguments = parser.parse_args()

    def export() -> dict[str, Any]:
        run, recipe = read_run(arguments.run)
        check_export(run, recipe, arguments.to, arguments.merge)
        prepare_environment()
        from workbench.engine.export.results import export_run

        workspace = _workspace(run.path, arguments.workspace)
        return export_run(run, recipe, workspace, arguments.to, arguments.merge, tell)

    return answer_once(
        export, "The export", "The memory ran out; end other programs, or export the adapter without --merge."
    )


def _workspace(run: Path, given: str | None) -> Workspace:
    """The workspace given, else the one that the run lies in, else the usual one."""
    if given is None and run.parent.name == "runs":
        return Workspace(run.parent.parent)
    return find_workspace(given)


if __name__ == "__main__":
    raise SystemExit(main())
