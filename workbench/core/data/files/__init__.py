"""Rows from files of every format that is read: where they stand, one by one, never all at once."""
