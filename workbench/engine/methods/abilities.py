"""`python -m workbench.engine.methods.abilities`: what one of PEFT's kinds is able to, tried on a tiny model.

Reads {"model_type", "config", "module"} on standard input; writes one JSON line: each of
`workbench.core.methods.trying.ABILITIES` with true, or a sentence that says why not.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from workbench.core.errors import UserError
from workbench.engine import tuners
from workbench.engine.answer import answer_questions
from workbench.engine.methods.any_peft import first_line, peft_config_from, wrap
from workbench.engine.methods.merging import fold_adapter
from workbench.engine.methods.quantised import prepare_quantised, quantisation_config
from workbench.engine.methods.stored import open_adapter, save_adapter
from workbench.engine.methods.switching import switch_off, switch_on

VOCABULARY = 256
SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 16, "intermediate_size": 128, "ffn_dim": 128, "word_embed_proj_dim": 64,
    "max_position_embeddings": 128, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip
"""Of the tiny model; an architecture takes those that it knows."""

STEPS = 8
RATES = (1e-2, 1e-3, 1e-1)
"""Learning rates that are tried until one lets the loss fall: kinds differ a hundredfold in what they want."""

CLOSE = 1e-4
"""Largest difference of logits, relative to the largest, that rounding explains."""


class Trial:
    """One kind on one tiny model."""

    def __init__(self, model_type: str, values: Mapping[str, Any], folder: Path) -> None:
        self.values, self.folder = values, folder
        torch.manual_seed(0)
        config = AutoConfig.for_model(model_type)
        for name, size in SIZES.items():
            if hasattr(config, name):
                setattr(config, name, size)
        config = type(config)(**{**config.to_dict(), **{key: SIZES[key] for key in SIZES if hasattr(config, key)}})
        AutoModelForCausalLM.from_config(config).save_pretrained(folder / "base")
        self.ids = torch.randint(3, VOCABULARY, (4, 12), generator=torch.Generator().manual_seed(3))
        self.base = self.logits(self.load())
        self.rate = RATES[0]
        self.model = self.built()
        self.tuned = self.base

    def load(self, quantisation: str = "none") -> Any:
        config = quantisation_config({"quantisation": quantisation, "double_quantisation": True}, "float32")
        options = {} if config is None else {"quantization_config": config, "device_map": {"": "cpu"}}
        model = AutoModelForCausalLM.from_pretrained(self.folder / "base", dtype=torch.float32, **options).eval()
        if config is not None:
            prepare_quantised(model)
        return model

    def built(self, quantisation: str = "none") -> Any:
        base = self.load(quantisation)
        torch.manual_seed(0)
        return wrap(base, peft_config_from(self.values))

    @torch.no_grad()
    def logits(self, model: Any, **named: Any) -> torch.Tensor:
        model.eval()
        found: torch.Tensor = model(input_ids=self.ids, **named).logits.float()
        return found

    def fit(self, model: Any, rate: float) -> bool:
        """Whether a few steps let the loss fall."""
        trained = [one for one in model.parameters() if one.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=rate, weight_decay=0.0)
        before = self.loss(model)
        model.train()
        for step in range(STEPS):
            torch.manual_seed(step)
            loss = model(input_ids=self.ids, labels=self.ids, use_cache=False).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        return self.loss(model) < before

    @torch.no_grad()
    def loss(self, model: Any) -> float:
        """Without dropout."""
        return float(model.eval()(input_ids=self.ids, labels=self.ids, use_cache=False).loss)

    def trains(self) -> bool | str:
        for rate in RATES:
            self.rate = rate
            self.model = self.built()
            if self.fit(self.model, rate):
                self.tuned = self.logits(self.model)
                return True
        return f"the loss did not fall in {STEPS} steps."

    def comes_back(self) -> bool | str:
        save_adapter(self.model, self.folder / "adapter")
        self.model = open_adapter(self.load(), self.folder / "adapter")
        return self._same(self.tuned, self.logits(self.model), "opened again, its logits are others.")

    def switches_off(self) -> bool | str:
        switch_off(self.model)
        off = self.logits(self.model)
        switch_on(self.model)
        on = self._same(self.tuned, self.logits(self.model), "switched on again, its logits are others.")
        return on if on is not True else self._same(self.base, off, "switched off, its logits are not the base's.")

    @torch.no_grad()
    def generates(self) -> bool | str:
        questions = [[3, 7, 11, 20], [5, 9, 100, 42, 17, 8]]
        slow = []
        for question in questions:
            tokens = list(question)
            for _ in range(3):
                given = self.model(input_ids=torch.tensor([tokens]), use_cache=False)
                tokens.append(int(given.logits[0, -1].argmax()))
            slow.append(tokens[len(question) :])
        if answer_questions(self.model, questions, None, 0, 3) == slow:
            return True
        return "with the cache it answers other than without."

    def mixes(self) -> bool | str:
        names = ["__base__", "default"] * 2
        mixed = self.logits(self.model, adapter_names=names)
        wrong = "rows of one batch do not get the adapter that is theirs."
        first = self._same(self.base[0::2], mixed[0::2], wrong)
        return first if first is not True else self._same(self.tuned[1::2], mixed[1::2], wrong)

    def merges(self) -> bool | str:
        model = open_adapter(self.load(), self.folder / "adapter")
        return self._same(self.tuned, self.logits(fold_adapter(model)), "merged, its logits are others.")

    def quantised(self, quantisation: str) -> bool | str:
        return self.fit(self.built(quantisation), self.rate) or f"the loss did not fall in {STEPS} steps."

    def recomputes(self) -> bool | str:
        model = self.built()
        model.get_base_model().gradient_checkpointing_enable({"use_reentrant": False})
        return self.fit(model, self.rate) or f"the loss did not fall in {STEPS} steps."

    def _same(self, first: torch.Tensor, second: torch.Tensor, wrong: str) -> bool | str:
        return float((first - second).abs().max() / first.abs().max().clamp(min=1.0)) <= CLOSE or wrong


def try_abilities(model_type: str, values: Mapping[str, Any]) -> dict[str, bool | str]:
    """Each ability with true, or a sentence. UserError where no tiny model of that type can be made."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            trial = Trial(model_type, values, Path(folder))
        except UserError as error:
            return {"trains": error.sentence}
        except Exception as error:  # an architecture that takes no such sizes
            return {"trains": f"a tiny model of type {model_type} could not be made: {first_line(error)}"}
        tried: dict[str, Callable[[], bool | str]] = {
            "trains": trial.trains,
            "comes back": trial.comes_back,
            "switches off": trial.switches_off,
            "generates": trial.generates,
            "mixed batch": trial.mixes,
            "merges": trial.merges,
            "4-bit": lambda: trial.quantised("nf4"),
            "8-bit": lambda: trial.quantised("int8"),
            "gradient checkpointing": trial.recomputes,
        }
        return {name: _answer(work) for name, work in tried.items()}


def _answer(work: Callable[[], bool | str]) -> bool | str:
    try:
        return work()
    except UserError as error:
        return error.sentence
    except Exception as error:  # every kind has its own way to fail
        return first_line(error)


def answer(asked: Mapping[str, Any]) -> dict[str, bool | str]:
    """The answer to one such question."""
    torch.set_num_threads(1)
    try:
        tuners.open_module(str(asked.get("module") or ""))
        return try_abilities(str(asked["model_type"]), asked["config"])
    except UserError as error:
        return {"trains": error.sentence}


def main() -> int:
    sys.stdout.write(json.dumps(answer(json.loads(sys.stdin.read()))) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
