"""The verbs of the command line, their arguments, and what is said of wrong ones."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from workbench import __version__
from workbench.core.errors import UserError

MODULES = {
    "app": "app",
    "demo": "demo",
    "inspect": "inspect",
    "data": "data",
    "estimate": "estimate",
    "train": "train",
    "runs": "runs",
    "watch": "watch",
    "pause": "control",
    "resume": "control",
    "stop": "control",
    "checkpoint": "control",
    "chat": "chat",
    "score": "score",
    "compare": "compare",
    "export": "export",
    "import": "adopt",
    "methods": "methods",
    "calibrate": "calibrate",
    "doctor": "doctor",
    "pretrain": "pretrain",
}
"""The module of `workbench.cli` behind each verb, imported only when the verb is chosen."""

DATA = "a file, a folder, a Hub id, or a bundled sample's name"
RUN = "a run's name, a unique beginning of it, latest, or a path"


class Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one sentence, and lists a recipe's keys where `--set` takes them."""

    lists_keys = False

    def __init__(self, **rest: Any) -> None:
        super().__init__(**{"allow_abbrev": False, "formatter_class": _Wide, **rest})

    def error(self, message: str) -> NoReturn:
        raise UserError(_sentence(self.prog, message))

    def format_help(self) -> str:
        if self.lists_keys:
            self.epilog = _recipe_keys()
        return super().format_help()


class _Wide(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str, **rest: Any) -> None:
        super().__init__(prog, max_help_position=26, **rest)


def _sentence(prog: str, message: str) -> str:
    """argparse's complaint as a sentence that ends in what to do."""
    verb = re.search(r"argument VERB: invalid choice: '(.*?)'", message, re.DOTALL)
    if verb:
        near = difflib.get_close_matches(verb[1], [name for name in MODULES if name != "app"], n=1)
        hint = f"did you mean {near[0]}?" if near else "workbench --help lists them."
        return f"There is no command {verb[1][:60]!r}; {hint}"
    help_hint = f"; {prog} --help says more."
    missing = message.removeprefix("the following arguments are required: ")
    if missing != message:
        return f"{prog} needs {missing}{help_hint}"
    return message.removeprefix("argument ").replace(": cannot be", " cannot be").rstrip(".") + help_hint


def _recipe_keys() -> str:
    """Every key of a recipe with its meaning, for the help of the verbs that take --set."""
    import textwrap

    from workbench.core.knobs import Knob, knobs_of
    from workbench.core.methods import METHODS
    from workbench.core.recipe.sections import SECTIONS

    lines = ["keys for --set:"]

    def add(key: str, knob: Knob) -> None:
        text = f"{key}  {knob.help} [{_plain(knob.default)}]"
        lines.extend(textwrap.wrap(text, 78, initial_indent="  ", subsequent_indent="      "))

    for section in ("model", "data", "training"):
        for knob in knobs_of(SECTIONS[section]).values():
            add(f"{section}.{knob.name}", knob)
    lines += ["", "keys of a method; another method: --set method.name=NAME"]
    shared: dict[tuple[str, str], tuple[Knob, list[str]]] = {}
    for method in METHODS.values():
        for knob in knobs_of(method.knobs).values():
            shared.setdefault((knob.name, knob.help), (knob, []))[1].append(method.name)
    for knob, names in shared.values():
        add(f"method.{knob.name} ({', '.join(names)})", knob)
    return "\n".join(lines)


def _plain(value: Any) -> str:
    import json

    return value if isinstance(value, str) else json.dumps(value)


def read_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The command's arguments, the verb in `verb`; UserError names what is wrong. `--help` prints and exits."""
    parser = build_parser()
    given, unknown = parser.parse_known_args(list(arguments))
    if given.verb is None:
        given.verb = "app"
    if unknown:
        name = "workbench" if given.verb == "app" else f"workbench {given.verb}"
        raise UserError(_unknown(name, unknown[0], _options(parser, given.verb)))
    return given


def _unknown(name: str, word: str, options: list[str]) -> str:
    if not word.startswith("-"):
        return f"{name} does not know what to do with {word[:80]!r}; {name} --help says what it takes."
    near = difflib.get_close_matches(word.partition("=")[0], options, n=1)
    hint = f"did you mean {near[0]}?" if near else f"{name} --help lists those it has."
    return f"{name} has no option {word.partition('=')[0][:80]}; {hint}"


def _options(parser: argparse.ArgumentParser, verb: str) -> list[str]:
    parsers = [parser]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            parsers += [found for name, found in action.choices.items() if name == verb]
    return [option for found in parsers for action in found._actions for option in action.option_strings]


def whole(low: int) -> Callable[[str], int]:
    """A reader of whole numbers from `low` up."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = low - 1
        if number < low:
            raise argparse.ArgumentTypeError(f"cannot be {text[:40]!r}, it takes a whole number from {low} up")
        return number

    return read


def decimal(low: float, high: float) -> Callable[[str], float]:
    """A reader of numbers from `low` to `high`."""

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(f"cannot be {text[:40]!r}, it takes a number from {low:g} to {high:g}")
        return number

    return read


def build_parser() -> Parser:
    """The parser of every verb."""
    parser = Parser(
        prog="workbench",
        description="Fine-tune a language model in the terminal. Without a command, the app opens.",
        epilog="workbench COMMAND --help says more of a command. The first thing to try: workbench demo",
    )
    parser.add_argument("--version", action="version", version=f"workbench {__version__}")
    _workspace(parser, None)
    parser.set_defaults(verb=None)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="commands")

    def verb(name: str, help: str, json: bool = True, keys: bool = False) -> Parser:
        added: Parser = verbs.add_parser(name, help=help, description=help)
        added.lists_keys = keys
        _workspace(added, argparse.SUPPRESS)
        if json:
            added.add_argument("--json", action="store_true", help="one JSON document on standard output, nothing else")
        return added

    demo = verb("demo", "The whole story on the bundled model and data, from nothing to a comparison.")
    demo.add_argument("--headless", action="store_true", help="tell it as text, without the app")

    inspect = verb("inspect", "What a data set holds, how it is read, and which tokens are trained on.", keys=True)
    inspect.add_argument("data", metavar="DATA", help=DATA)
    inspect.add_argument("--subset", metavar="NAME", help="subset of Hub data or a folder; workbench data splits")
    inspect.add_argument("--split", metavar="NAME", help="split of it; workbench data splits DATA lists them")
    inspect.add_argument("--model", metavar="M", help="tiny (the default), a folder, a .gguf file, or a Hub id")
    inspect.add_argument("--max-length", type=whole(8), metavar="N", help="longest row in tokens (512)")
    inspect.add_argument("--show-mask", type=whole(1), metavar="N", help="show N rows with their trained tokens marked")
    _set(inspect)

    data = verb(
        "data", "Rows of a data set: saved clean, searched for a text, listed by what becomes of them; or its splits.",
        keys=True,
    )  # fmt: skip
    data.add_argument(
        "action", choices=("clean", "search", "rows", "templates", "splits"), metavar="ACTION",
        help="clean DATA --to FILE, search DATA --text TEXT, rows DATA --of WHAT, templates DATA --row N, "
        "or splits DATA",
    )  # fmt: skip
    data.add_argument("data", metavar="DATA", help=DATA)
    data.add_argument("--subset", metavar="NAME", help="subset of Hub data or a folder")
    data.add_argument("--split", metavar="NAME", help="split of it")
    data.add_argument("--text", metavar="TEXT", help="what a row must hold, in letters of either case")
    data.add_argument("--of", metavar="WHAT", help="train, held_out, cut, left_out, findings, or a kind of finding")
    data.add_argument("--row", type=whole(1), default=1, metavar="N", help="row shown in each chat template (1)")
    data.add_argument("--to", metavar="FILE", help="the new file, .jsonl or .parquet")
    data.add_argument("--leave-out", nargs="+", metavar="WHAT", help="row numbers from 1, or kinds of findings")
    data.add_argument("--keep-first", action="store_true", help="of rows that say the same, keep the first")
    data.add_argument("--model", metavar="M", help="tiny (the default), a folder, a .gguf file, or a Hub id")
    _set(data)

    estimate = verb("estimate", "Whether a recipe fits: parameters and memory, part by part.", keys=True)
    _recipe_words(estimate)
    estimate.add_argument("--trace", action="store_true", help="trace two steps of the real model too, without weights")
    estimate.add_argument(
        "--price", metavar="AN_HOUR", help="what an hour costs, such as 1.99 or '1.99 EUR' (else the workspace's price)"
    )
    estimate.add_argument("--card", metavar="NAME", help="for a GPU of the table, such as 'RTX 4090', not this machine")
    estimate.add_argument(
        "--loop", action="append", default=[], metavar="KEY=VALUE",
        help="as another trainer has it: for_each, keeps_outputs, caches, emptied, every_logit, clips or kbit=true, "
        "masked=false, adapters=base, chunk=TOKENS for a fused loss; may be given several times",
    )  # fmt: skip
    estimate.add_argument("--world-size", type=whole(1), metavar="N", help="also what each of N GPUs would hold")
    estimate.add_argument(
        "--sharding",
        choices=("ddp", "zero1", "zero2", "zero3", "fsdp"),
        default="fsdp",
        help="how they share it (fsdp)",
    )

    calibrate = verb("calibrate", "Two real steps with the longest rows, measured against the estimate.", keys=True)
    _recipe_words(calibrate)

    train = verb("train", "Train a recipe in a process of its own, and follow it.", keys=True)
    train.add_argument("recipe", metavar="RECIPE", help="a recipe file or a bundled recipe's name, such as capitals")
    _set(train)
    train.add_argument("--detach", action="store_true", help="start it and return at once")
    train.add_argument("--name", metavar="NAME", help="the run's name; one is found without it")

    verb("runs", "Every run with its state, newest first.")
    _run(verb("watch", "Follow a run as text until it ends; ctrl-c leaves it running."))
    _run(verb("pause", "Ask a run to wait after the step in work."))
    _run(verb("resume", "Let a paused run go on, or take up a stopped, failed or lost one from its last checkpoint."))
    _run(verb("stop", "Ask a run to end after the step in work; it can be resumed."))
    _run(verb("checkpoint", "Ask a run to write a checkpoint after the step in work."))

    chat = verb("chat", "Base and tuned model side by side on the same prompts.")
    _run(chat)
    chat.add_argument("--prompt", action="append", metavar="TEXT", help="a prompt; may be given several times")
    chat.add_argument("--questions", metavar="DATA", help="ask what the rows of a data set ask, answered there or not")
    chat.add_argument("--first", type=whole(1), default=10, metavar="N", help="rows of it that are asked (10)")
    chat.add_argument("--temperature", type=decimal(0, 10), default=0.0, metavar="T", help="0 takes the likeliest (0)")
    chat.add_argument("--top-p", type=decimal(0, 1), default=1.0, metavar="P", help="nucleus of the sampler (1)")
    chat.add_argument("--seed", type=whole(0), default=0, metavar="N", help="the sampler's seed, same for both (0)")
    chat.add_argument("--max-tokens", type=whole(1), default=128, metavar="N", help="longest answer in tokens (128)")

    score = verb("score", "A run's base and result on the held-out rows of any data: loss and exact match.")
    _run(score)
    score.add_argument("--data", metavar="DATA", help=f"{DATA}; the run's own without it")
    score.add_argument(
        "--like", metavar="RUN", help="as that run was measured: on its data, its held-out rows, its seed"
    )
    _set(score)

    compare = verb("compare", "Runs side by side: parameters, memory, time, losses and scores.")
    compare.add_argument("runs", nargs="+", metavar="RUN", help=RUN)
    compare.add_argument("--markdown", action="store_true", help="the whole table as Markdown")

    export = verb("export", "Write a run's result to a folder of its own.")
    _run(export)
    export.add_argument("--to", required=True, metavar="DIR", help="the folder to write")
    export.add_argument("--merge", action="store_true", help="fold the adapter into the base: one plain model")

    taken = verb("import", "Take an adapter that was trained elsewhere as a run: PEFT's, or AdapterHub's.")
    taken.add_argument("folder", metavar="DIR", help="the adapter's folder, with its adapter_config.json and weights")
    taken.add_argument("--model", metavar="M", default="tiny", help="its base model: a folder, a .gguf file, a Hub id")
    taken.add_argument("--name", metavar="NAME", help="the run's name; one is found without it")

    methods = verb("methods", "Every fine-tuning method with its knobs, or one of them.")
    methods.add_argument("method", nargs="?", metavar="NAME", help="a method, or one of PEFT's kinds, such as LOHA")
    methods.add_argument("--model", metavar="M", help="try one of PEFT's kinds on this model: count and abilities")
    methods.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="settings",
        help="a setting of the kind by PEFT's own name, such as r=4; may be given several times",
    )
    methods.add_argument("--module", default="", metavar="FILE", help="a Python file with a tuner of your own")
    verb("doctor", "What this machine has, what is missing, and what to do.")

    pretrain = verb("pretrain", "Make the bundled base model again, from nothing.")
    pretrain.add_argument("model", choices=("tiny",), metavar="tiny", help="the bundled base model")
    pretrain.add_argument("--to", required=True, metavar="DIR", help="the folder for the model")
    pretrain.add_argument("--seed", type=whole(0), metavar="N", help="seed of corpus, weights and order")
    pretrain.add_argument("--steps", type=whole(1), metavar="N", help="optimizer steps")
    pretrain.add_argument("--documents", type=whole(1), metavar="N", help="documents in the corpus")
    pretrain.add_argument("--checkpoint-every", type=whole(1), metavar="N", help="steps between checkpoints")
    pretrain.add_argument("--threads", type=whole(1), metavar="N", help="CPU threads")
    pretrain.add_argument("--resume", action="store_true", help="go on with the one that was stopped in DIR")
    return parser


def _recipe_words(parser: Parser) -> None:
    parser.add_argument("recipe", nargs="?", metavar="RECIPE", help="a recipe file or a bundled recipe's name")
    parser.add_argument("--model", metavar="M", help="tiny, a folder (config.json is enough), a .gguf file, a Hub id")
    parser.add_argument("--method", metavar="NAME", help="fine-tuning method; workbench methods lists them")
    parser.add_argument("--data", metavar="DATA", help="a file, a folder, or a bundled sample's name")
    _set(parser)


def _workspace(parser: Parser, default: Any) -> None:
    parser.add_argument(
        "--workspace", metavar="DIR", default=default,
        help="folder of runs and caches (else WORKBENCH_HOME, else the user data folder)",
    )  # fmt: skip


def _set(parser: Parser) -> None:
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="settings",
        help="change one key of the recipe, such as method.rank=16; may be given several times",
    )  # fmt: skip


def _run(parser: Parser) -> None:
    parser.add_argument("run", metavar="RUN", help=RUN)
