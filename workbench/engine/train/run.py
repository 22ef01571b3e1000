"""A run from its recipe to its report."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from workbench.core.errors import RunFailedError, UserError
from workbench.core.recipe import Recipe
from workbench.core.runs.events import Event, EventReader
from workbench.core.runs.facts import measured_memory
from workbench.core.runs.folder import RunFolder
from workbench.core.runs.view import RunView
from workbench.engine.answer import stop_ids
from workbench.engine.failures import is_disk_full
from workbench.engine.methods import count_trainable, method_callbacks
from workbench.engine.train.batches import Collator, OrderedRows
from workbench.engine.train.checkpoints import newest_sound
from workbench.engine.train.controls import Controls
from workbench.engine.train.evaluate import HeldOut
from workbench.engine.train.heartbeat import Heartbeat
from workbench.engine.train.journal import Journal
from workbench.engine.train.loop import RunTrainer, trainer_arguments
from workbench.engine.train.numbers import Numbers, choose_device, choose_numbers
from workbench.engine.train.order import Order, check_processes, order_rows
from workbench.engine.train.outcome import find_versions, save_result, weight_bytes, write_card, write_facts
from workbench.engine.train.peak import PeakMemory
from workbench.engine.train.probe import keeps_logits, packs_cleanly
from workbench.engine.train.setup import Phases, Prepared, apply_method, load_model, prepare, say
from workbench.engine.train.watch import Totals, Watch, read_totals, write_evaluation

ROOM_WAIT = 1800.0
"""Seconds that a finished run waits for room on a full disk before it gives its result up."""


class Run:
    """One execution of a run: from the start, or from its newest sound checkpoint, to its end."""

    def __init__(
        self,
        folder: RunFolder,
        recipe: Recipe,
        journal: Journal,
        heartbeat: Heartbeat,
        controls: Controls,
        processes: int,
        phases: Phases,
    ) -> None:
        self.folder = folder
        self.recipe = recipe
        self.journal = journal
        self.heartbeat = heartbeat
        self.controls = controls
        self.processes = processes
        self.phases = phases
        self.before: list[Event] = EventReader(folder.events).read()
        self.view = RunView().after_all(self.before)

    def execute(self) -> str:
        """Train, and put down what came of it; the state that the run ends in: finished or stopped.

        UserError and RunFailedError say in a sentence why not; StopAskedError that the user wanted nothing begun.
        """
        checkpoint, told = newest_sound(self.folder)
        totals = read_totals(checkpoint) if checkpoint else Totals()
        for sentence in told:
            self.journal.notice(totals.step, sentence)
        numbers = choose_numbers(self.recipe, choose_device())
        prepared = prepare(self.recipe, self.folder, numbers, self.phases)
        order = order_rows([len(row) for row in prepared.data.train], self.recipe)
        accumulation = check_processes(self.recipe, self.processes)
        self.heartbeat.steps, self.heartbeat.step = order.steps, totals.step
        self.controls.raise_if_stopped()
        self._announce(prepared, numbers, order, checkpoint, totals)
        peak = PeakMemory(numbers.device)
        with self.phases.time("model"):
            model = load_model(self.recipe, prepared, numbers)
        kept = keeps_logits(model)
        if self.recipe.data.packing is True and not packs_cleanly(model):
            raise UserError(
                "data.packing cannot be true for this model: packed rows would see one another; set it to false."
            )
        held_out = HeldOut(
            prepared.data,
            Collator(prepared.data.tokenizer.pad_id, keeps_logits=kept),
            self.recipe.training.micro_batch,
            self.recipe.training.score_rows,
            stop_ids(model, prepared.data.tokenizer.eos_id),
            numbers.autocast,
            self.controls.raise_if_stopped,
        )
        base_answers = self._measure_base(model, held_out)
        with self.phases.time("method"):
            model = apply_method(model, self.recipe, prepared, self.journal)
        watch = Watch(
            folder=self.folder,
            recipe=self.recipe,
            order=order,
            journal=self.journal,
            heartbeat=self.heartbeat,
            clock=self.heartbeat.clock,
            controls=self.controls,
            held_out=held_out,
            peak=peak,
            predicted=prepared.estimate.predicted,
            base_answers=base_answers,
            totals=totals,
        )
        trainer = self._trainer(model, prepared, order, numbers, accumulation, kept, watch)
        self._train(trainer, watch, checkpoint)
        return self._conclude(watch, model, prepared, numbers)

    def _announce(
        self, prepared: Prepared, numbers: Numbers, order: Order, checkpoint: Path | None, totals: Totals
    ) -> None:
        estimate, data = prepared.estimate, prepared.data
        self.journal.write(
            "start",
            totals.step,
            total_parameters=estimate.total_parameters,
            trainable_parameters=estimate.trainable_parameters,
            share=estimate.share,
            rows=len(data.train),
            held_out_rows=len(data.held_out),
            steps=order.steps,
            learning_rate=self.recipe.learning_rate_on(prepared.skeleton),
            tokens_per_epoch=sum(len(row) for row in data.train),
            device=prepared.device.name,
            precision=numbers.precision,
            predicted_memory=estimate.predicted,
            resumed_from=totals.step if checkpoint else None,
            seconds=round(self.heartbeat.clock.seconds, 3),
        )
        if checkpoint is None:
            for sentence in data.notices:
                self.journal.notice(0, sentence)
        for sentence in numbers.notices:
            self.journal.notice(totals.step, sentence, "info")

    def _measure_base(self, model: Any, held_out: HeldOut) -> list[str]:
        """Measure the untouched base once in a run's life; its answers to the samples."""
        if held_out.empty or self.journal.silent:
            return []
        known = {event["prompt"]: event["base"] for event in self.before if event["kind"] == "sample" and event["base"]}
        if self.view.base_loss is not None and all(item.prompt in known for item in held_out.samples):
            return [known[item.prompt] for item in held_out.samples]
        with self.phases.time("base evaluation"):
            measured = held_out.measure(model, score=True)
            answers = held_out.answer_samples(model)
        write_evaluation(self.journal, 0, "base", measured)
        for question, answer in zip(held_out.samples, answers, strict=True):
            self.journal.write("sample", 0, prompt=question.prompt, expected=question.answer, base=answer, tuned=None)
        return answers

    def _trainer(
        self,
        model: Any,
        prepared: Prepared,
        order: Order,
        numbers: Numbers,
        accumulation: int,
        kept: bool,
        watch: Watch,
    ) -> RunTrainer:
        packed = self.recipe.data.packing is True
        with self.phases.time("trainer"):
            trainer = RunTrainer(
                recipe=self.recipe,
                after_step=watch.after_step,
                model=model,
                args=trainer_arguments(
                    self.recipe,
                    numbers,
                    order.steps,
                    accumulation,
                    self.folder.checkpoints,
                    self.recipe.learning_rate_on(prepared.skeleton),
                ),
                data_collator=Collator(prepared.data.tokenizer.pad_id, packed=packed, keeps_logits=kept),
                train_dataset=OrderedRows(prepared.data.train, order.sequences),
                callbacks=method_callbacks(model, self.recipe),
            )
        watch.trainer = trainer
        return trainer

    def _train(self, trainer: RunTrainer, watch: Watch, checkpoint: Path | None) -> None:
        self.controls.raise_if_stopped()
        watch.peak.restart()
        watch.begin()
        say(f"Ready after {sum(self.phases.seconds.values()):.1f} s: {self.phases.seconds}")
        with self.phases.time("training"):
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        self.heartbeat.clock.stop()

    def _conclude(self, watch: Watch, model: Any, prepared: Prepared, numbers: Numbers) -> str:
        """Save the result, measure it, and write the facts, the card and the report."""
        state = "stopped" if watch.stopped else "finished"
        assert watch.trainer is not None
        if self.journal.silent:
            watch.trainer.accelerator.wait_for_everyone()  # for the first process's measuring
            return state
        watch.tell_memory()
        memory = watch.peak.read()
        model = watch.trainer.accelerator.unwrap_model(model, keep_fp32_wrapper=False)
        with self.phases.time("result"):
            result = self._save(model, prepared, watch)
        if state == "finished":
            with self.phases.time("final evaluation"):
                watch.held_out.check = lambda: None  # the training is done: what is left is worth its seconds
                watch.measure(score=True)
        facts = self._facts(state, watch, model, prepared, numbers, memory, result)
        self._write(lambda: write_facts(self.folder, facts), watch)
        self._write(lambda: write_card(result, self.recipe, facts, prepared.data.report), watch)
        self._write(self._report, watch)
        watch.trainer.accelerator.wait_for_everyone()
        return state

    def _report(self) -> None:
        from workbench.core.runs.report import write_report

        write_report(self.folder)

    def _write(self, work: Any, watch: Watch) -> None:
        """Write a small file at the end; without room, a notice tells, and the result stands all the same."""
        try:
            work()
        except OSError as error:
            self.journal.notice(watch.totals.step, f"A file of the run could not be written ({error.strerror}).")

    def _save(self, model: Any, prepared: Prepared, watch: Watch) -> Path:
        """Save the result; a full disk is waited for, with a word to whoever watches, since nothing else holds it."""
        told = False
        until = time.monotonic() + ROOM_WAIT
        while True:
            try:
                return save_result(model, self.folder, prepared.model_folder)
            except Exception as error:  # torch and safetensors say a full disk in kinds of their own
                if not is_disk_full(error):
                    raise
                if time.monotonic() > until or self.controls.read() == "stop":
                    raise RunFailedError(
                        "The disk is full, so the result could not be saved; free some space and resume the run."
                    ) from error
            if not told:
                self.journal.notice(
                    watch.totals.step,
                    "The disk is full: the result is kept in memory until there is room for it.",
                    "error",
                )
                told = True
            time.sleep(1.0)

    def _facts(
        self,
        state: str,
        watch: Watch,
        model: Any,
        prepared: Prepared,
        numbers: Numbers,
        memory: dict[str, int | None],
        result: Path,
    ) -> dict[str, Any]:
        view = RunView().after_all(self._events())
        totals, estimate = watch.totals, prepared.estimate
        return {
            "run": self.folder.name,
            "state": state,
            "model": self.recipe.model.path,
            "method": self.recipe.method.name,
            "steps": totals.step,
            "learning_rate": self.recipe.learning_rate_on(prepared.skeleton),
            "seconds": round(self.heartbeat.clock.seconds, 3),
            "tokens": totals.tokens,
            "trained_tokens": totals.trained_tokens,
            "loss": totals.loss,
            "held_out_loss": view.held_out_loss,
            "base_loss": view.base_loss,
            "score": view.score,
            "base_score": view.base_score,
            "scored": view.scored or None,
            "memory": {
                "of": "reserved" if estimate.device.kind == "cuda" else "process",
                "predicted": estimate.predicted,
                "measured": measured_memory(memory),
                "predicted_allocated": estimate.allocated,
                "allocated": memory["allocated"],
                "predicted_reserved": estimate.reserved,
                "reserved": memory["reserved"],
                "predicted_process": estimate.process,
                "process": memory["process"],
            },
            "tokens_per_second": round(watch.step_tokens / watch.step_seconds, 1) if watch.step_seconds else None,
            "adapter_bytes": weight_bytes(result),
            "trainable_parameters": count_trainable(model),
            "total_parameters": estimate.total_parameters,
            "share": estimate.share,
            "device": prepared.device.name,
            "precision": numbers.precision,
            "versions": find_versions(self.recipe),
            "rows": len(prepared.data.train),
            "held_out_rows": len(prepared.data.held_out),
            "phases": self.phases.seconds,
        }

    def _events(self) -> list[Event]:
        return EventReader(self.folder.events).read()
