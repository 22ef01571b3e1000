"""What the base model knows, and that it does not answer: greedy continuations, counted."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from workbench.core.tiny.topics import RECALLED, TOPICS

BATCH = 128
CONTINUATION = 32
"""Tokens that the base goes on for when it is asked something."""


@dataclass(frozen=True)
class Count:
    """So many of so many."""

    right: int
    of: int

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.right / self.of


@dataclass(frozen=True)
class BaseBehaviour:
    """What the base does with the questions for all capitals, greedily."""

    answered: Count
    """Continuations that hold the capital before the next question begins."""
    asked_on: Count
    """Continuations that ask another question."""


@torch.no_grad()
def continue_greedily(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, prompts: Sequence[str], length: int
) -> list[str]:
    """The most likely next `length` tokens of every prompt, the separator and special tokens written out."""
    by_length = defaultdict(list)
    for index, prompt in enumerate(prompts):
        ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        by_length[len(ids)].append((index, ids))
    texts = [""] * len(prompts)
    was_training = model.training
    model.eval()
    for group in by_length.values():
        for first in range(0, len(group), BATCH):
            part = group[first : first + BATCH]
            current = torch.tensor([ids for _, ids in part])
            cache, chosen = None, []
            for _ in range(length):
                out = model(input_ids=current, past_key_values=cache, use_cache=True)
                cache = out.past_key_values
                current = out.logits[:, -1].argmax(-1, keepdim=True)
                chosen.append(current)
            for (index, _), row in zip(part, torch.cat(chosen, 1).tolist(), strict=True):
                texts[index] = tokenizer.decode(row, skip_special_tokens=False)
    model.train(was_training)
    return texts


def measure_recall(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast) -> Mapping[str, Count]:
    """For every table: how many statements the model completes with the right answer and a full stop."""
    counts = {}
    for name in RECALLED:
        topic = TOPICS[name]
        prompts = [topic.recall.format(**fact) for fact in topic.facts]
        texts = continue_greedily(model, tokenizer, prompts, 12)
        right = sum(text.startswith(f" {fact[topic.answer]}.") for text, fact in zip(texts, topic.facts, strict=True))
        counts[name] = Count(right, len(prompts))
    return counts


def measure_base_behaviour(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, *, through_template: bool
) -> BaseBehaviour:
    """Ask for every capital, bare or through the chat template, and count answers and further questions."""
    facts = TOPICS["capitals"].facts
    prompts = [TOPICS["capitals"].questions[0].format(**fact) for fact in facts]
    if through_template:
        prompts = [
            tokenizer.apply_chat_template(
                [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True
            )
            for prompt in prompts
        ]
    texts = continue_greedily(model, tokenizer, prompts, CONTINUATION)
    answered = sum(fact["capital"] in text.split("?")[0] for text, fact in zip(texts, facts, strict=True))
    asked_on = sum("?" in text for text in texts)
    return BaseBehaviour(Count(answered, len(facts)), Count(asked_on, len(facts)))
