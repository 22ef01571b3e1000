"""Runs as folders: the only channel between a trainer and whoever watches it."""
