"""Fine-tuning in a terminal: data, method, memory, live training, and base and tuned side by side."""

__version__ = "0.1.0"
