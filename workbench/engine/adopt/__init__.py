"""Adapters that were trained elsewhere, as runs: PEFT's as they are, AdapterHub's as our tuners hold them."""
