"""The closed world of the bundled base model: its facts, its corpus, and the pairs that fine-tune it."""
