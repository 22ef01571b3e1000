"""The panes, one module or folder each; `workbench.app.workbench_app` builds each one when it is first shown."""
