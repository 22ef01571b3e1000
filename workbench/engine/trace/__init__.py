"""Memory traced before a run: the real model, method and optimizer take two steps on tensors that hold no values."""
