"""A pretraining run from its settings to the finished model folder."""

import shutil
import signal
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import torch
import transformers
from safetensors import SafetensorError

from workbench.core.errors import RunFailedError, UserError
from workbench.core.tiny.corpus import build_corpus
from workbench.engine.pretrain.card import Measured, write_card
from workbench.engine.pretrain.checkpoint import load_state, save_checkpoint
from workbench.engine.pretrain.export import export_model, load_exported
from workbench.engine.pretrain.model import build_model
from workbench.engine.pretrain.recall import CONTINUATION, measure_base_behaviour, measure_recall
from workbench.engine.pretrain.report import LINE_EVERY, Report
from workbench.engine.pretrain.stream import Stream, find_inside_numbers, join_documents
from workbench.engine.pretrain.target import FOLDER, Progress, Start
from workbench.engine.pretrain.tokenizer import LONGEST, train_tokenizer
from workbench.engine.pretrain.training import Step, build_optimizers, train

transformers.utils.logging.disable_progress_bar()

RECALL_EVERY = 500
"""Steps between two measurements of recall on the way."""


@dataclass
class Interruption:
    """Turns ctrl-c and a polite kill into a wish to stop after the step in hand."""

    wanted: bool = False

    def listen(self) -> None:
        """Catch SIGINT and SIGTERM from now on."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._note)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.wanted = True


def run_pretraining(target: Path, start: Start, *, checkpoint_every: int, threads: int, report: Report) -> bool:
    """Pretrain into the target folder; True when the model is finished, False when it was stopped and can go on.

    Raises UserError, and RunFailedError where the disk fails.
    """
    settings, done = start.settings, start.progress
    torch.set_num_threads(threads)
    documents = build_corpus(settings.documents, settings.seed)
    tokenizer = train_tokenizer(documents)
    tokens = join_documents(tokenizer, documents)
    stream = Stream(tokens, find_inside_numbers(tokenizer, tokens), settings.seed)
    if stream.steps_per_epoch < 1:
        raise UserError(f"A corpus of {settings.documents:,} documents fills no batch; use more with --documents.")
    model = build_model(tokenizer, settings.seed)
    optimizers = build_optimizers(model)
    if start.checkpoint is not None:
        load_state(start.checkpoint, model, optimizers)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    report.say(
        "begin",
        f"{len(documents):,} documents, {len(stream.tokens):,} tokens, {parameters:,} parameters,"
        f" step {done.step:,} of {settings.steps:,} done",
        documents=len(documents), tokens=len(stream.tokens), parameters=parameters, step=done.step,
        steps=settings.steps,
    )  # fmt: skip

    interruption = Interruption()
    interruption.listen()
    losses: deque[float] = deque(maxlen=LINE_EVERY)

    def after_step(step: Step) -> bool:
        losses.append(step.loss)
        if step.step % LINE_EVERY == 0 or step.step in (done.step + 1, settings.steps):
            report.say_step(step, settings.steps)
        if step.step % RECALL_EVERY == 0 and step.step < settings.steps:
            report.say_recall(step.step, measure_recall(model, tokenizer))
        if step.step % checkpoint_every == 0 and step.step < settings.steps:
            save_checkpoint(target / FOLDER, settings, Progress(step.step, step.seconds), model, optimizers)
        return not interruption.wanted

    reached = train(model, optimizers, stream, settings, done, after_step)
    if reached.step < settings.steps:
        save_checkpoint(target / FOLDER, settings, reached, model, optimizers)
        report.say(
            "stopped",
            f"Stopped after step {reached.step:,} of {settings.steps:,}; add --resume to go on.",
            step=reached.step, steps=settings.steps,
        )  # fmt: skip
        return False
    try:
        export_model(target, model, tokenizer)
    except (OSError, SafetensorError) as error:
        raise RunFailedError(
            f"The model could not be written to {target} ({error}); make room there and go on with --resume."
        ) from None
    exported = load_exported(target)
    recall = measure_recall(exported, tokenizer)
    report.say_recall(settings.steps, recall)
    behaviour = {
        "bare": measure_base_behaviour(exported, tokenizer, through_template=False),
        "through the chat template": measure_base_behaviour(exported, tokenizer, through_template=True),
    }
    report.say_behaviour(behaviour)
    measured = Measured(
        settings=settings, parameters=parameters, vocabulary=len(tokenizer), longest=LONGEST,
        tokens=len(stream.tokens), loss=sum(losses) / len(losses), seconds=reached.seconds, threads=threads,
        recall=recall, behaviour=behaviour, length=CONTINUATION,
    )  # fmt: skip
    (target / "README.md").write_text(write_card(measured, documents), encoding="utf-8")
    for name in (FOLDER, FOLDER + ".new", FOLDER + ".old"):
        shutil.rmtree(target / name, ignore_errors=True)
    report.say_end(target, reached.seconds, recall, behaviour)
    return True
