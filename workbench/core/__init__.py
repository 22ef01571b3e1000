"""What the workbench knows without torch and without a screen."""
