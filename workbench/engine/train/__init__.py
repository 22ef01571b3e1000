"""The trainer: one process a run, detached, that writes only into its run folder.

`python -m workbench.engine.train RUNFOLDER` starts a run, or goes on from its newest sound checkpoint.
"""
