"""Short lessons on what happens inside, with figures of the person's own model, data and run."""

from workbench.core.lessons.figures import lesson_figures
from workbench.core.lessons.lessons import Lesson, fill_lesson, load_lessons, placeholders

__all__ = ["Lesson", "fill_lesson", "lesson_figures", "load_lessons", "placeholders"]
