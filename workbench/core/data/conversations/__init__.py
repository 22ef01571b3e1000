"""Conversations from rows: what formats of rows there are, and the turns that come out of them."""
