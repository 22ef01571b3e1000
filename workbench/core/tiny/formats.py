"""The same six rows in every format that the workbench reads."""

import csv
import io
import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

ROWS = (
    ("What is the capital of Peru?", "Lima."),
    ("What is the opposite of hot?", "cold."),
    ("What is 3 plus 4?", "7."),
    ("What is the plural of child?", "children."),
    ('Which word means "not hot", cold or warm?', "cold."),
    ("What is the capital of Paraguay, in Spanish?", "Asunción."),
)
"""Question and answer; one row has quotation marks and a comma, one a letter that is not ASCII."""


def write_json(rows: list[Any]) -> str:
    """One JSON array, a row a line."""
    lines = ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in rows)
    return f"[\n{lines}\n]\n"


def write_json_lines(rows: list[Any]) -> str:
    """One JSON object a line."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def write_separated(separator: str) -> str:
    """A table with a header line, quoted where it must be."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator="\n")
    writer.writerows([("question", "answer"), *ROWS])
    return out.getvalue()


def list_messages(question: str, answer: str) -> list[dict[str, str]]:
    """One exchange as chat messages."""
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def write_oasst() -> str:
    """Message trees flattened to one message a line, as OpenAssistant publishes them."""
    rows = []
    for index, (question, answer) in enumerate(ROWS):
        tree = f"tree-{index}"
        for key, parent, role, text, rank in (
            (tree, None, "prompter", question, None),
            (f"{tree}-reply", tree, "assistant", answer, 0),
        ):
            rows.append({
                "message_id": key, "parent_id": parent, "role": role, "text": text, "lang": "en",
                "message_tree_id": tree, "rank": rank,
            })  # fmt: skip
    return write_json_lines(rows)


FORMATS: Mapping[str, Callable[[], str]] = MappingProxyType(
    {
        "alpaca.json": lambda: write_json([{"instruction": q, "input": "", "output": a} for q, a in ROWS]),
        "dolly.jsonl": lambda: write_json_lines(
            [{"instruction": q, "context": "", "response": a, "category": "closed_qa"} for q, a in ROWS]
        ),
        "oasst.jsonl": write_oasst,
        "sharegpt.json": lambda: write_json(
            [{"conversations": [{"from": "human", "value": q}, {"from": "gpt", "value": a}]} for q, a in ROWS]
        ),
        "messages.jsonl": lambda: write_json_lines([{"messages": list_messages(q, a)} for q, a in ROWS]),
        "prompt_completion.jsonl": lambda: write_json_lines([{"prompt": q, "completion": a} for q, a in ROWS]),
        "question_answer.jsonl": lambda: write_json_lines([{"question": q, "answer": a} for q, a in ROWS]),
        "rows.csv": lambda: write_separated(","),
        "rows.tsv": lambda: write_separated("\t"),
        "plain.txt": lambda: "".join(f"{q} {a}\n" for q, a in ROWS),
    }
)
"""Text of every format's file by name; `rows.parquet` is written by `write_parquet`."""


def write_parquet() -> bytes:
    """The rows as a Parquet file with the columns `question` and `answer`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    questions, answers = zip(*ROWS, strict=True)
    out = io.BytesIO()
    pq.write_table(pa.table({"question": list(questions), "answer": list(answers)}), out)
    return out.getvalue()
