"""How much memory a run will take, before anything is loaded."""
