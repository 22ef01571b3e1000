"""Adapters that were trained elsewhere, as runs: PEFT's as they are, AdapterHub's in our tuners and PEFT's kinds."""
