"""Method by architecture by precision: what is counted, trained, saved, reopened, switched off, merged, generated and
resumed; the kept table must be what comes out. `WRITE_PROOF=1 pytest -m slow tests/methods/test_matrix.py` writes it anew.
"""

import json
import os

import pytest
from architectures import CONFIGS, make
from fresh import FreshProcesses
from matrix import METHODS, PRECISIONS, keep, kept, over, with_files
from peft import PeftModel
from proof import CLOSE, Found, prove, train

from workbench.core.errors import UserError
from workbench.core.methods import asking, trying
from workbench.engine.methods import abilities, trial


@pytest.fixture(autouse=True)
def without_cards(monkeypatch):
    """PEFT's model cards: a template compiled at each save, and not asked for here."""
    monkeypatch.setattr(PeftModel, "create_or_update_model_card", lambda self, folder: None)


AT_ONCE = 4
"""Jobs that wait for the fresh processes before the training goes on."""


ROUNDED = 0.05
"""Over an 8-bit base a token's numbers depend on those beside it: LLM.int8() rounds together what is read together."""


def check(found, eight_bit=False):
    """What must hold of a method that does not refuse."""
    assert found.trained == found.counted > 0
    assert found.last_loss < found.first_loss
    assert found.changed > CLOSE
    assert max(found.reloaded, found.off, found.on_again) <= CLOSE
    assert found.cached <= (ROUNDED if eight_bit else CLOSE)
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
    method = {"name": "qlora", "quantisation": quantisation}
    check(prove(make(models, "llama"), method, tmp_path), eight_bit=quantisation == "int8")


@pytest.fixture(scope="module")
def fresh():
    processes = FreshProcesses()
    yield processes
    processes.close()


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
def test_every_method_holds_or_refuses_in_a_sentence(architecture, precision, models, tmp_path, fresh, monkeypatch):
    """In this process each method is trained; in a process of its own each result is opened and measured."""
    in_here = {"workbench.engine.methods.trial": trial.answer, "workbench.engine.methods.abilities": abilities.answer}
    monkeypatch.setattr(
        asking, "run_program", lambda program, asked, _: in_here[program](asked)
    )  # not ten seconds each
    trying._counted.cache_clear()
    trying._able.cache_clear()
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "home"))
    folder, waiting, wrong, cells = make(models, architecture), [], [], {}

    def finish(name, found, answer):
        fresh.wait()
        measured = json.loads(answer.read_text())
        if "failed" in measured:
            wrong.append(f"{name}: {measured['failed']}")
            return
        whole = Found(**{**vars(found), **measured})
        try:
            check(whole, eight_bit=precision == "8-bit")
        except AssertionError:
            wrong.append(f"{name}: {whole}")
            return
        cells[name] = cell_of(whole)

    for number, name in enumerate(METHODS):
        try:
            found, answer = try_cell(architecture, precision, name, folder, tmp_path / str(number), fresh)
        except Exception as error:  # one broken cell must not hide the others
            wrong.append(f"{name}: {type(error).__name__}: {error}")
            continue
        if answer is None:
            cells[name] = found
            continue
        waiting.append((name, found, answer))
        if len(waiting) >= AT_ONCE:
            finish(*waiting.pop(0))
    for one in waiting:
        finish(*one)
    assert not wrong, "\n".join(wrong)
    if os.environ.get("WRITE_PROOF"):
        keep(architecture, precision, cells)
    assert kept(architecture, precision) == cells
