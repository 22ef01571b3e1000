"""Pretraining of the bundled base model: `python -m workbench.engine.pretrain --to DIR`."""
