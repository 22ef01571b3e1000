"""`python -m workbench.engine.helper --workspace FOLDER`: serve requests on standard input until it ends."""

from __future__ import annotations

import argparse
import faulthandler
import os
import signal
import sys

from workbench.core.errors import UserError
from workbench.core.places import find_workspace, stay_in
from workbench.engine.environment import prepare_environment
from workbench.engine.helper.requests import serve
from workbench.engine.helper.wire import Wire, take_standard_output

NICENESS = 5
"""Behind the screen, before a trainer (which runs at 10), where they share a core."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m workbench.engine.helper", description=__doc__)
    parser.add_argument("--workspace", help="the folder of runs and caches")
    arguments = parser.parse_args()
    try:
        workspace = find_workspace(arguments.workspace)
    except UserError as error:
        sys.stderr.write(f"{error.sentence}\n")
        return 2
    stay_in(workspace)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-c in the app's terminal is the app's
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    faulthandler.enable()
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    wire = Wire(take_standard_output())
    prepare_environment()
    from workbench.engine.helper.verbs import Helper

    serve(sys.stdin.buffer, wire, Helper(workspace).verbs)
    os._exit(0)  # whoever asked is gone; no thread has anyone left to work for


if __name__ == "__main__":
    raise SystemExit(main())
