"""GGUF files as base models."""
