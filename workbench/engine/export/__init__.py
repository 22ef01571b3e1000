"""Taking a run's result elsewhere: its adapter as it is, or merged into the base as a model of its own."""
