"""Chat templates: the bundled ones, how they are rendered without harm, and what may be wrong with one."""
