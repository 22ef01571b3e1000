"""What is said while the helper counts a method by building it, so that the app goes on meanwhile."""

from __future__ import annotations

COUNTING = "Building this kind on the model, without weights, to count what it trains"
