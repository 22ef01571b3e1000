"""A slice of the table of methods: one cell of each, so that every architecture and precision is met by some."""

import json

import pytest
from architectures import CONFIGS, make
from matrix import METHODS, PRECISIONS, kept, over, with_files
from peft import PeftModel
from proof import prove
from test_matrix import cell_of, check

from workbench.core.methods import asking
from workbench.engine.methods import abilities, trial

CELLS = [(architecture, precision) for precision in PRECISIONS for architecture in CONFIGS]
STRIDE = 10
"""Has no factor in common with the number of cells, so that neighbours differ in architecture and in precision."""


def cell_for(number):
    """The cell of the method with that number: the first from its own place on that the table does not refuse."""
    name = list(METHODS)[number]
    places = [CELLS[(number * STRIDE + step) % len(CELLS)] for step in range(len(CELLS))]
    return next((*place, name) for place in places if "refuses" not in kept(*place)[name])


SLICE = [cell_for(number) for number in range(len(METHODS))]


def test_the_slice_meets_every_method_architecture_and_precision():
    assert [name for _, _, name in SLICE] == list(METHODS)
    assert {architecture for architecture, _, _ in SLICE} == set(CONFIGS)
    assert {precision for _, precision, _ in SLICE} == set(PRECISIONS)


@pytest.mark.slow
@pytest.mark.parametrize(("architecture", "precision", "name"), SLICE, ids=lambda one: one.replace(" ", "-"))
def test_a_cell_of_the_table_holds(architecture, precision, name, models, tmp_path, monkeypatch):
    in_here = {"workbench.engine.methods.trial": trial.answer, "workbench.engine.methods.abilities": abilities.answer}
    monkeypatch.setattr(asking, "run_program", lambda program, asked, _: in_here[program](asked))
    monkeypatch.setattr(PeftModel, "create_or_update_model_card", lambda self, folder: None)
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "home"))
    folder = make(models, architecture)
    method = with_files(over(METHODS[name], PRECISIONS[precision]), folder, tmp_path / "files")
    found = prove(folder, json.loads(json.dumps(method)), tmp_path / "work")
    check(found, eight_bit=precision == "8-bit")
    assert cell_of(found) == kept(architecture, precision)[name]
