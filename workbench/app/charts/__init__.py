"""Charts in character cells: pure drawing, and the widgets that show it."""
