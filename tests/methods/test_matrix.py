"""Method by architecture by precision: what is counted, trained, saved, reopened, switched off, merged, generated and
resumed; the kept table is what comes out. `WRITE_PROOF=1 pytest -m slow tests/methods/test_matrix.py` writes it anew.
"""

import json
import os

import pytest
from architectures import CONFIGS, make
from fresh import FreshProcesses
from matrix import METHODS, PRECISIONS, over, table, with_files, write
from proof import CLOSE, Found, prove, train

from workbench.core.errors import UserError
from workbench.core.methods import peft
from workbench.core.methods.proved import PROVED_FILE
from workbench.engine.methods import trial

AT_ONCE = 4
"""Jobs that wait for the fresh processes before the training goes on."""


def check(found):
    """What must hold of a method that does not refuse."""
    assert found.trained == found.counted > 0
    assert found.last_loss < found.first_loss
    assert found.changed > CLOSE
    assert max(found.reloaded, found.off, found.on_again) <= CLOSE
    assert found.cached
    assert found.resumed == 0.0
    assert isinstance(found.merged, str) or found.merged <= CLOSE, found.merged
    assert not isinstance(found.merged, str) or found.merged.endswith((".", "merge"))


def cell_of(found):
    return {"parameters": found.trained, "merges": not isinstance(found.merged, str)}


FAST = ("LoRA", "PiSSA", "DoRA", "Houlsby", "prefix with projection", "P-tuning", "AdaLoRA", "IA3", "LLaMA-Adapter")


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
@pytest.mark.parametrize("name", FAST)
def test_a_method_trains_what_it_counts_and_comes_back_from_disk(name, architecture, models, tmp_path):
    check(prove(make(models, architecture), METHODS[name], tmp_path))


@pytest.mark.parametrize("quantisation", ["nf4", "fp4", "int8"])
def test_qlora_trains_and_comes_back_over_a_quantised_base(quantisation, models, tmp_path):
    check(prove(make(models, "llama"), {"name": "qlora", "quantisation": quantisation}, tmp_path))


@pytest.fixture(scope="module")
def fresh():
    processes = FreshProcesses()
    yield processes
    processes.close()


@pytest.fixture(scope="module")
def cells():
    """Every cell that this session has proved."""
    return {}


def try_cell(architecture, precision, name, folder, work, fresh):
    """Train one cell and give out the rest of its proof; the refusal's cell where the method refuses."""
    try:
        method = with_files(over(METHODS[name], PRECISIONS[precision]), folder, work / "files")
        work.mkdir(parents=True, exist_ok=True)
        found = train(folder, method, work)
    except UserError as error:
        assert error.sentence.endswith("."), error.sentence
        return {"refuses": error.sentence}, None
    return found, fresh.ask({"folder": str(folder), "method": method, "work": str(work)})


@pytest.mark.slow
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("architecture", CONFIGS)
def test_every_method_holds_or_refuses_in_a_sentence(
    architecture, precision, models, tmp_path, fresh, cells, monkeypatch
):
    """In this process each method is trained; in a process of its own each result is opened and measured."""
    monkeypatch.setattr(peft, "ask_trial", trial.answer)  # a process for each takes ten seconds
    peft._tried.cache_clear()
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "home"))
    folder, waiting, wrong = make(models, architecture), [], []

    def finish(name, found, answer):
        fresh.wait()
        measured = json.loads(answer.read_text())
        if "failed" in measured:
            wrong.append(f"{name}: {measured['failed']}")
            return
        whole = Found(**{**vars(found), **measured})
        try:
            check(whole)
        except AssertionError:
            wrong.append(f"{name}: {whole}")
        cells.setdefault(name, {}).setdefault(architecture, {})[precision] = cell_of(whole)

    for number, name in enumerate(METHODS):
        try:
            found, answer = try_cell(architecture, precision, name, folder, tmp_path / str(number), fresh)
        except Exception as error:  # one broken cell must not hide the others
            wrong.append(f"{name}: {type(error).__name__}: {error}")
            continue
        if answer is None:
            cells.setdefault(name, {}).setdefault(architecture, {})[precision] = found
            continue
        waiting.append((name, found, answer))
        if len(waiting) >= AT_ONCE:
            finish(*waiting.pop(0))
    for one in waiting:
        finish(*one)
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
def test_the_kept_table_is_what_has_been_proved(cells):
    """Where all cells have been tried; the sentences of refusals may name versions' own words."""
    if sum(len(each) for by_kind in cells.values() for each in by_kind.values()) < (
        len(METHODS) * len(CONFIGS) * len(PRECISIONS)
    ):
        pytest.skip("not every cell has been tried")
    found = table(cells)
    if os.environ.get("WRITE_PROOF"):
        write(found)
    assert json.loads(PROVED_FILE.read_text(encoding="utf-8"))["rows"] == found["rows"]
