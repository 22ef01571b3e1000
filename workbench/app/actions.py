"""Everything a person can do, in one table: key bindings, footer, command palette and F1 help all read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.binding import Binding, BindingType


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do."""

    call: str
    """What is called, as Textual writes it: `start` is `action_start()`, `pane('data')` is `action_pane('data')`."""
    title: str
    """Two or three words for the footer and the palette."""
    help: str
    """One sentence for F1 and the palette."""
    keys: tuple[str, ...]
    """Keys that do it; the footer shows the first that the focus lets through."""
    foot: bool = True
    """Whether the footer shows it."""
    palette: bool = True
    """Whether the palette lists it."""


PANES: dict[str, str] = {
    "data": "Data",
    "method": "Method",
    "memory": "Memory",
    "monitor": "Monitor",
    "chat": "Chat",
    "runs": "Runs",
    "learn": "Learn",
}
"""The panes in the order of their keys, with their titles."""

PANE_HELP: dict[str, str] = {
    "data": "Which rows are trained on, and which of their tokens.",
    "method": "Which weights are trained, and how.",
    "memory": "What the run will need, and what would make it need less.",
    "monitor": "How the run is going.",
    "chat": "Ask the base and the tuned model, side by side.",
    "runs": "Every run: follow, compare, resume, export.",
    "learn": "What happens inside, one step at a time.",
}

PANE_NEXT: dict[str, str] = {
    "data": "2 chooses the method",
    "method": "3 shows the memory",
    "memory": "s starts a run",
}
"""What comes next, said at the edge of a pane."""

_GO = tuple(
    Action(f"pane('{name}')", title, PANE_HELP[name], (str(place), f"f{place + 1}", f"ctrl+{place}"), foot=False)
    for place, (name, title) in enumerate(PANES.items(), start=1)
)

ACTIONS: dict[str, tuple[Action, ...]] = {
    "app": (
        Action("start", "Start", "Start a run of the recipe as it stands.", ("s", "f9", "ctrl+r")),
        *_GO,
        Action("explain", "Help", "Explain what has the focus, and list every key.", ("f1", "question_mark")),
        Action("command_palette", "Palette", "Find anything by typing a part of its name.", ("ctrl+p",), palette=False),
        Action("back", "Back", "Go back to what was there before.", ("escape",), foot=False, palette=False),
        Action("choose", "Open", "Choose a model and data of your own.", ("w", "f11")),
        Action("welcome", "Welcome", "Open the first screen with its three doors.", (), foot=False),
        Action("next_theme", "Next theme", "Change the colours: dark, light, high contrast.", ("f10",), foot=False),
        Action("quit", "Quit", "Leave; a run that is going on goes on.", ("ctrl+q",)),
    ),
    "data": (
        Action("side('set_up')", "Set-up", "Choose the data, the template and what is trained on.", ("e", "ctrl+l")),
        Action("side('findings')", "Findings", "Show what may be wrong with the data, and mend it.", ("d", "ctrl+o")),
        Action("side('lengths')", "Lengths", "Show how long the rows are, and move the longest.", ("l", "ctrl+g")),
        Action("next_on_trail(1)", "Next", "Go to the next row with a finding or the text.", ("n", "ctrl+n")),
        Action("search", "Search", "Search in the text of all rows.", ("slash", "ctrl+f")),
        Action("only", "Only", "List some of the rows: held out, cut, left out, with a finding.", ("o",)),
        Action("next_view", "View", "Show the row as it is in the file, as rendered, or as tokens.", ("v", "ctrl+t")),
        Action("templates", "Templates", "Show this row in every chat template, and choose one.", ("t",), foot=False),
        Action("next_on_trail(-1)", "Row before", "Go to the one before.", ("N",), foot=False),
        Action("next_long", "Next long row", "Go to the next row longer than data.max_length.", ("c",), foot=False),
        Action("any_row", "Any row", "Go to a row by chance.", ("a",), foot=False),
        Action("go_to", "Go to row", "Go to a row by its number.", ("g",), foot=False),
        Action("ids", "Ids", "Show or hide the id of every token.", ("i",), foot=False),
        Action("copy_row", "Copy", "Copy the row, or the view of it that has the focus.", ("y", "ctrl+y"), foot=False),
        Action("leave_out", "Leave out", "Leave this row out, or take it again.", ("x", "delete"), foot=False),
        Action("fix", "Fix", "Do what the lit finding proposes.", ("f",), foot=False),
        Action("undo", "Undo", "Take back the last change to the data.", ("u", "ctrl+z"), foot=False),
        Action("columns", "Columns", "Say which column is the prompt and which the answer.", ("m",), foot=False),
        Action("save_copy", "Save copy", "Save the rows that are left to a file of their own.", ("k",), foot=False),
        Action("reload", "Read again", "Read the data again from its source.", ("r", "f12"), foot=False),
    ),
    "method": (
        Action("targets", "Targets", "Pick the target modules from the model's own tree.", ("t", "ctrl+t")),
        Action("more", "All knobs", "Show or hide the less used training knobs.", ("m", "ctrl+o")),
        Action("defaults", "Defaults", "Set every knob of the method and of training back.", ("d",), foot=False),
    ),
    "memory": (
        Action("next_aspect", "View", "Show the next view: peak, fit, parameters, cards, here.", ("v", "ctrl+t")),
        Action("apply", "Advice", "Change the recipe as the lit advice says; show it first.", ("a", "ctrl+o")),
        Action("undo", "Undo", "Take back the last change that was made here.", ("u", "ctrl+z")),
        Action("calibrate", "Calibrate", "Take two real steps with the longest rows, measured.", ("c", "ctrl+l")),
        Action("aspect('fit')", "Fit", "Walk through what would make it fit, or smaller.", ("f",), foot=False),
        Action("aspect('peak')", "Peak", "Show the parts of the peak and its largest tensors.", ("k",), foot=False),
        Action("aspect('parameters')", "Parameters", "Show every parameter as a tree.", ("e",), foot=False),
        Action("aspect('cards')", "Cards", "Show on which common cards it fits.", ("d",), foot=False),
        Action("aspect('here')", "Here", "Show past errors, time, money and disk.", ("h",), foot=False),
        Action("trace", "Trace", "Trace each change a moment later, or stop doing so.", ("t", "ctrl+g"), foot=False),
        Action("price", "Price", "Set what an hour of the machine costs.", ("p", "ctrl+e"), foot=False),
    ),
    "monitor": (
        Action("pause", "Pause", "Pause the run after this step.", ("p", "ctrl+e")),
        Action("go_on", "Resume", "Let a paused run go on, or resume one that ended early.", ("p", "ctrl+e")),
        Action("stop", "Stop", "Stop the run after this step; it can be resumed.", ("x", "ctrl+x")),
        Action("checkpoint", "Checkpoint", "Have a checkpoint written after this step.", ("k", "ctrl+k")),
        Action("show_log", "Log", "Show the end of the run's log, or the charts again.", ("l", "ctrl+l")),
        Action("next_chart", "View", "Show the next chart; in a narrow terminal also the answers.", ("v", "ctrl+t")),
        Action(
            "log_scale", "Log scale", "Draw the losses on a logarithmic or a plain scale.", ("g", "ctrl+g"), foot=False
        ),
        Action("chat", "Chat", "Talk to the run's base and tuned model.", ("c", "ctrl+o"), foot=False),
    ),
    "chat": (
        Action("next_question", "Next question", "Ask the next held-out question.", ("n", "ctrl+n")),
        Action("random_question", "Random", "Ask a held-out question by chance.", ("r", "ctrl+o")),
        Action("ask_again", "Again", "Ask the last prompt again.", ("a", "ctrl+g"), foot=False),
        Action("stop_answer", "Stop", "Stop the answer, or leave the prompt.", ("escape",), foot=False, palette=False),
        Action("exact_prompt", "Exact prompt", "Show the very text and tokens that the models get.", ("e", "ctrl+t")),
        Action("bare_text", "Bare text", "Let the base continue a text without the chat template.", ("b", "ctrl+l")),
        Action("copy_answer", "Copy", "Copy the last answer.", ("y", "ctrl+y"), foot=False),
        Action("clear", "Clear", "Forget this conversation, after a question.", ("delete", "f12"), foot=False),
        Action("write", "Write", "Go to the line where a prompt is typed.", ("enter",), foot=False, palette=False),
    ),
    "runs": (
        Action("follow", "Follow", "Follow this run on the monitor.", ("enter",)),
        Action("mark", "Mark", "Mark this run for a comparison.", ("space",)),
        Action("compare", "Compare", "Compare the marked runs.", ("m", "ctrl+o")),
        Action("chat", "Chat", "Talk to this run's base and tuned model.", ("c", "ctrl+t")),
        Action("resume", "Resume", "Resume a stopped, failed or lost run, or a paused one.", ("r", "ctrl+g")),
        Action("open_recipe", "Open recipe", "Make this run's recipe the current one.", ("o", "ctrl+n")),
        Action("sort", "Sort", "Sort by the next column.", ("t", "ctrl+l"), foot=False),
        Action("delete", "Delete", "Delete this run, after a question.", ("d", "delete")),
        Action("training_loss", "Training loss", "Compare the training losses, or the held-out ones again.", ("v",)),
        Action("log_scale", "Log scale", "Draw the compared losses on a logarithmic or a plain scale.", ("g",)),
        Action("close_comparison", "Back", "Go back to the table of runs.", ("escape",), palette=False),
    ),
    "learn": (
        Action("next_lesson(1)", "Next lesson", "Read the next lesson.", ("n", "right_square_bracket")),
        Action("next_lesson(-1)", "Lesson before", "Read the lesson before.", ("b", "left_square_bracket"), foot=False),
        Action("close_lesson", "Lessons", "Go back to the list of lessons.", ("escape",), palette=False),
    ),
}
"""What can be done, by where: `app` everywhere, the rest in the pane of that name."""


def bindings_for(place: str) -> list[BindingType]:
    """Textual's bindings for one place of the table."""
    return [_binding(action, key) for action in ACTIONS[place] for key in action.keys]


def _binding(action: Action, key: str) -> Binding:
    from textual.binding import Binding

    return Binding(
        key,
        action.call,
        action.title,
        show=action.foot,
        tooltip=action.help,
        key_display=key_name(key),
        priority=action.call == "quit",  # a dialog is no place to be locked up in
    )


_NAMES = {
    "escape": "Esc",
    "question_mark": "?",
    "enter": "Enter",
    "space": "Space",
    "plus": "+",
    "minus": "-",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "slash": "/",
    "full_stop": ".",
    "comma": ",",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "delete": "Del",
    "backspace": "Bksp",
    "tab": "Tab",
    "up": "Up",
    "down": "Down",
    "left": "Left",
    "right": "Right",
}


def key_name(key: str) -> str:
    """A key as a person reads it on the keyboard, in plain ASCII."""
    *held, last = key.split("+")
    if last.startswith("f") and last[1:].isdigit():
        shown = last.upper()
    else:
        shown = _NAMES.get(last, last)
    return "".join({"ctrl": "^", "shift": "Shift+", "alt": "Alt+"}.get(part, f"{part}+") for part in held) + shown
