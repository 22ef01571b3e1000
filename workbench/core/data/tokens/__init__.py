"""Tokens from conversations: the tokenizer, the loss mask, and the processes that do many rows at once."""
