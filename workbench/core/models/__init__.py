"""Base models as facts: where one is, and its skeleton of modules and shapes. No weights are read here."""
