"""Who may import whom, and what a fresh process of the app loads."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {
    "torch",
    "transformers",
    "peft",
    "bitsandbytes",
    "datasets",
    "accelerate",
    "numpy",
    "pandas",
    "pyarrow",
    "plotext",
}


def loaded_by(statement):
    code = f"import sys\n{statement}\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(answer.stdout.split())


def test_the_import_contracts_hold():
    answer = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports")], capture_output=True, text=True, cwd=ROOT, timeout=120
    )
    assert answer.returncode == 0, answer.stdout


def test_importing_the_app_loads_nothing_heavy():
    assert not loaded_by("import workbench.app.workbench_app") & HEAVY


def test_importing_the_command_line_loads_neither_textual_nor_anything_heavy():
    assert not loaded_by("import workbench.__main__, workbench.cli.parser") & (HEAVY | {"textual", "tokenizers"})


def test_no_file_has_swallowed_the_program():
    for file in (*ROOT.glob("workbench/**/*.py"), *ROOT.glob("tests/**/*.py")):
        assert len(file.read_text(encoding="utf-8").splitlines()) <= 400, f"{file.name} holds more than one idea"
