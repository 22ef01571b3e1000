"""Answers from base and tuned: the same prompt tokens, seed and sampler on every side, a token at a time."""
