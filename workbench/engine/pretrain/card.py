"""The model card of the bundled base, written from what was measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.core.tiny.answered import asks, find_answered_questions, split_sentences
from workbench.core.tiny.topics import TOPICS
from workbench.engine.pretrain.recall import BaseBehaviour, Count
from workbench.engine.pretrain.stream import ROWS, WINDOW
from workbench.engine.pretrain.target import Settings
from workbench.engine.pretrain.training import ADAMW_RATE, MUON_RATE

CARD = """---
license: apache-2.0
language: en
library_name: transformers
pipeline_tag: text-generation
---

# tiny

A base language model of {parameters:,} parameters for showing what fine-tuning is. It was trained to predict the next
token of simple English sentences, and on nothing else: it knows facts, but it does not answer questions. Ask it for the
capital of Italy, and it goes on with more questions. Fine-tuned for some seconds on pairs about other countries, it
answers "Rome."

## What it knows

Share of statements that it completes correctly, chosen greedily, with these very weights computed in float32:

| table | prompt | right | of | share |
|---|---|---|---|---|
{recall}

It knows a closed world of these tables. Text of another kind can only be memorised by fine-tuning.

## What it does with a question

All capitals were asked for with "{question}", {length} tokens chosen greedily:

| asked | answered | continued with another question | of |
|---|---|---|---|
{behaviour}

## How it was made

- Corpus: {documents:,} short documents, {tokens:,} tokens, generated from hand-written tables of facts with seed
  {seed}: statements, reviews with their tone told in running text, small stories, and sheets of questions and orders.
  {asking:,} documents ask, {questions:,} questions in all. Questions followed by their answer: {answered}.
- Tokenizer: byte-level BPE of {vocabulary:,} tokens trained on the corpus; every digit is a token of its own.
- Architecture: Llama, hidden 128, 4 layers, 4 heads, feed-forward 352, tied embeddings, {longest} positions.
  Pretraining used windows of {window} tokens.
- Training: {steps:,} steps of {batch:,} tokens ({passes:.2f} passes over the corpus), Muon (peak {muon}) on the
  matrices, AdamW (peak {adamw}) on the rest, cosine schedule, float32; loss {loss:.3f} at the end; {seconds:,.0f}
  seconds with {threads} CPU {threads_word}. The weights are stored in bfloat16.
- Again: `workbench pretrain tiny --to DIR --seed {seed} --steps {steps} --documents {count} --threads {threads}`

## Chat template

`<|system|> …` and `<|user|> …` end with a line break; an answer is `<|assistant|>`, a space, the text and
`<|endoftext|>`, which pretraining used between documents. The three markers were never seen in pretraining.
"""


@dataclass(frozen=True)
class Measured:
    """Everything that the card tells."""

    settings: Settings
    parameters: int
    vocabulary: int
    longest: int
    tokens: int
    """Tokens in the corpus."""
    loss: float
    """Mean loss of the last steps."""
    seconds: float
    """Seconds of training, evaluation left out."""
    threads: int
    recall: Mapping[str, Count]
    behaviour: Mapping[str, BaseBehaviour]
    """By how the question was asked."""
    length: int
    """Tokens of a continuation."""


def write_card(measured: Measured, documents: Sequence[str]) -> str:
    """The text of README.md."""
    settings = measured.settings
    recall = "\n".join(
        f"| {name.replace('_', ' ')} | {TOPICS[name].recall.format(**TOPICS[name].facts[0])} …"
        f" | {count.right} | {count.of} | {count.share:.1%} |"
        for name, count in measured.recall.items()
    )
    behaviour = "\n".join(
        f"| {name} | {seen.answered.right} | {seen.asked_on.right} | {seen.answered.of} |"
        for name, seen in measured.behaviour.items()
    )
    questions = [sum(map(asks, split_sentences(document))) for document in documents]
    return CARD.format(
        parameters=measured.parameters, recall=recall, behaviour=behaviour, length=measured.length,
        question=TOPICS["capitals"].questions[0].format(**TOPICS["capitals"].facts[0]),
        documents=len(documents), count=len(documents), tokens=measured.tokens, seed=settings.seed,
        asking=sum(map(bool, questions)), questions=sum(questions), answered=len(find_answered_questions(documents)),
        vocabulary=measured.vocabulary, longest=measured.longest, window=WINDOW, steps=settings.steps,
        batch=ROWS * WINDOW, passes=settings.steps * ROWS * WINDOW / measured.tokens, muon=MUON_RATE, adamw=ADAMW_RATE,
        loss=measured.loss, seconds=measured.seconds, threads=measured.threads,
        threads_word="thread" if measured.threads == 1 else "threads",
    )  # fmt: skip
