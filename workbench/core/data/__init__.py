"""Data: rows from files, conversations from rows, tokens from conversations, and which of them are trained on."""
