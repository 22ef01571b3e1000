"""`python -m workbench.engine.lean PROGRAM`: run a module of the engine without libraries that it has no use for.

Transformers and PEFT import datasets and bitsandbytes wherever they find them, which is more than half of what it takes
to ask PEFT a question.
"""

from __future__ import annotations

import runpy
import sys

UNUSED = ("bitsandbytes", "datasets")


def main(arguments: list[str]) -> None:
    """Run the module that the first argument names, as if it had been called itself."""
    for name in UNUSED:
        sys.modules[name] = None  # type: ignore[assignment]
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
