"""A Jinja environment for chat templates from strangers: no way to Python, and an end to time, text and recursion.

Jinja's own sandbox keeps a template from Python's internals, but not from loops over loops, from doubling a text forty
times, or from `'x'.rjust(9999999999)`. Here every turn of a loop and every value that is written counts against a
deadline and a budget, and every way to make a long value from a short one is measured first.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import contextmanager
from threading import local
from typing import TYPE_CHECKING, Any

import jinja2
from jinja2 import nodes
from jinja2.compiler import CodeGenerator
from jinja2.ext import Extension
from jinja2.sandbox import ImmutableSandboxedEnvironment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jinja2.compiler import Frame
    from jinja2.parser import Parser

OPEN, CLOSE = "\ufdd0", "\ufdd1"
"""Noncharacters that mark what a template's {% generation %} block wrote; no text may hold them."""

SECONDS = 5.0
"""Longest that one conversation may take to render; real templates take well under a millisecond."""

LONGEST = 20_000_000
"""Most characters that a value, or one rendered conversation, may have."""

WORK = 200_000_000
"""Most characters and list entries that one rendering may make on its way."""

SMALL = 1000
"""Characters or list entries up to which a value costs nothing; turns of loops are limited by time."""

COUNT = 100_000
"""Largest number that a template may count to, and widest field that it may fill."""

_spent = local()


class LimitError(jinja2.TemplateError):
    """A template went beyond what any conversation needs."""


class _Code(CodeGenerator):
    """Python for a template, with straight calls of what this module put into it.

    Anything that the template itself calls still goes through the sandbox.
    """

    def visit_Call(self, node: nodes.Call, frame: Frame, forward_caller: bool = False) -> None:  # noqa: N802
        if not isinstance(node.node, nodes.EnvironmentAttribute):  # no template can name one
            super().visit_Call(node, frame, forward_caller=forward_caller)
            return
        self.write(f"environment.{node.node.name}(")
        self._write_all(node.args, frame)

    def visit_Add(self, node: nodes.BinExpr, frame: Frame) -> None:  # noqa: N802
        self.write("environment.added(")
        self._write_all([node.left, node.right], frame)

    def _write_all(self, values: Sequence[nodes.Expr], frame: Frame) -> None:
        for value in values:
            self.visit(value, frame)
            self.write(", ")
        self.write(")")


class ChatEnvironment(ImmutableSandboxedEnvironment):
    """Jinja as chat templates use it, within limits."""

    code_generator_class = _Code
    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=[_Generation, "jinja2.ext.loopcontrols"],
            finalize=_written,
        )
        for name in ("lipsum", "cycler", "joiner"):
            self.globals.pop(name, None)
        self.globals["raise_exception"] = _refuse
        self.globals["strftime_now"] = _now
        self.globals["range"] = _short_range
        self.filters["tojson"] = _tojson
        self.filters = {name: _measured(filter_) for name, filter_ in self.filters.items()}
        self.extend(tick=_tick, joined=_joined, added=_added)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        found: Any = tree.find_all((nodes.For, nodes.Macro, nodes.CallBlock))
        for loop in found:
            loop.body.insert(0, nodes.ExprStmt(_call("tick", []), lineno=loop.lineno))
        _replace_concat(tree)
        return tree

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "+":
            return _added(left, right)
        if operator == "*":
            for one, other in ((left, right), (right, left)):
                if isinstance(one, (str, list, tuple)) and isinstance(other, int):
                    _check_length(len(one) * other * (1 if isinstance(one, str) else 10))
                elif isinstance(one, int) and one.bit_length() > 1000:
                    raise LimitError("it computes with too large a number")
        elif operator == "**" and isinstance(right, (int, float)) and abs(right) > 100:
            raise LimitError("it computes with too large a number")
        elif operator == "%" and isinstance(left, str):
            _check_fields(left)
        return super().call_binop(context, operator, left, right)

    def getattr(self, obj: Any, attribute: str) -> Any:
        if type(obj) is dict and attribute in obj and attribute not in _OF_DICT:
            return obj[attribute]  # what the sandbox finds too, after it has looked for an attribute
        return super().getattr(obj, attribute)

    def call(self, context: Any, function: Any, /, *args: Any, **named: Any) -> Any:
        owner, name = getattr(function, "__self__", None), getattr(function, "__name__", "")
        if isinstance(owner, str):
            _check_text_method(owner, name, args, named)
        elif any(isinstance(value, int) and abs(value) > LONGEST for value in args):
            raise LimitError("it computes with too large a number")
        result = super().call(context, function, *args, **named)
        if isinstance(result, (str, list)):
            _check_length(len(result))
        return result

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        wrapped = super().wrap_str_format(value)
        if wrapped is None:
            return None
        form = str(value.__self__)

        def formatted(*args: Any, **named: Any) -> str:
            _check_fields(form)
            longest = max((len(str(part)) for part in (*args, *named.values())), default=0)
            _check_length(len(form) + longest * form.count("{"))
            return str(wrapped(*args, **named))

        return formatted


_OF_DICT = frozenset(dir(dict))


@contextmanager
def limits() -> Iterator[None]:
    """Within it a template of `ChatEnvironment` may render one conversation."""
    _spent.until, _spent.letters, _spent.work = time.monotonic() + SECONDS, 0, 0
    yield


class _Generation(Extension):
    """`{% generation %}…{% endgeneration %}`, as Transformers' templates use it."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> list[nodes.Node]:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return [_words(OPEN, line), nodes.Scope(body).set_lineno(line), _words(CLOSE, line)]


def _words(text: str, line: int) -> nodes.Node:
    return nodes.Output([nodes.TemplateData(text)]).set_lineno(line)


def _call(name: str, args: list[nodes.Expr]) -> nodes.Call:
    return nodes.Call(nodes.EnvironmentAttribute(name), args, [], None, None)


def _replace_concat(node: nodes.Node) -> None:
    """Put a measured call wherever texts are joined with `~`."""
    for field, value in node.iter_fields():
        if isinstance(value, nodes.Node):
            _replace_concat(value)
            if isinstance(value, nodes.Concat):
                setattr(node, field, _call("joined", value.nodes).set_lineno(value.lineno))
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, nodes.Node):
                    _replace_concat(item)
                    if isinstance(item, nodes.Concat):
                        value[index] = _call("joined", item.nodes).set_lineno(item.lineno)


def _tick() -> None:
    if time.monotonic() > _spent.until:
        raise LimitError(f"it runs for more than {SECONDS:g} seconds")


def _written(value: Any) -> Any:
    if isinstance(value, str):
        _spent.letters += len(value)
        if _spent.letters > LONGEST:
            raise LimitError(f"it makes more than {LONGEST:,} characters of one conversation")
    return value


def _added(left: Any, right: Any) -> Any:
    if isinstance(left, str) and isinstance(right, str):
        if len(left) + len(right) > SMALL:
            _check_length(len(left) + len(right))
    elif isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        _check_length(10 * (len(left) + len(right)))
    return left + right


def _joined(*parts: Any) -> str:
    texts = [str(part) for part in parts]
    _check_length(sum(map(len, texts)))
    return "".join(texts)


def _check_length(length: int) -> None:
    """Refuse a value of `length` characters where it, or all work so far with it, goes beyond the limits."""
    if length > LONGEST:
        raise LimitError(f"it makes more than {LONGEST:,} characters of one conversation")
    if length > SMALL:
        _spent.work += length
        if _spent.work > WORK:
            raise LimitError(f"it makes more than {WORK:,} characters on its way")
        _tick()


def _check_fields(form: str) -> None:
    """Refuse a format such as %9999999d, or one whose width comes from elsewhere."""
    if re.search(r"\d{6}", form) or "*" in form or re.search(r":[^}]*\{", form):
        raise LimitError("it fills a field that is too wide")


def _check_text_method(text: str, name: str, args: tuple[Any, ...], named: Mapping[str, Any]) -> None:
    values = (*args, *named.values())
    if name in ("ljust", "rjust", "center", "zfill", "expandtabs") and any(
        isinstance(value, int) and value > COUNT for value in values
    ):
        raise LimitError("it fills a field that is too wide")
    if name == "replace" and len(args) >= 2 and isinstance(args[0], str) and isinstance(args[1], str):
        _check_length(len(text) + text.count(args[0]) * len(args[1]))
    if name == "join" and args:
        if isinstance(args[0], (list, tuple, str, dict)):
            _check_length(len(args[0]) * (len(text) + 1) + sum(len(part) for part in args[0] if isinstance(part, str)))
        elif text:
            raise LimitError("it joins what cannot be counted")


_FILTERS_THAT_GROW = {"do_center", "do_indent", "do_wordwrap", "do_batch", "do_slice", "do_round", "do_truncate"}


def _measured(function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that can make a long value from a short one, measured; any other as it is."""
    name = getattr(function, "__name__", "")
    if name not in {*_FILTERS_THAT_GROW, "do_format", "do_replace", "sync_do_join", "do_join", "do_pprint"}:
        return function
    from functools import wraps

    @wraps(function)
    def measured(*args: Any, **named: Any) -> Any:
        values = (*args, *named.values())
        if name in _FILTERS_THAT_GROW and any(isinstance(value, int) and abs(value) > COUNT for value in values[1:]):
            raise LimitError("it fills a field that is too wide")
        texts = [value for value in values if isinstance(value, str)]
        if name == "do_format" and texts:
            _check_fields(texts[0])
        if name == "do_replace" and len(texts) >= 3:
            _check_length(len(texts[0]) + texts[0].count(texts[1]) * len(texts[2]))
        if name == "do_indent":
            width = next((value for value in values[1:] if isinstance(value, (int, str))), 4)
            _check_length(str(values[0]).count("\n") * (width if isinstance(width, int) else len(width)))
        if "join" in name and texts:
            items = next((value for value in values if isinstance(value, (list, tuple))), ())
            _check_length(len(items) * max(map(len, texts)) + sum(len(item) for item in items if isinstance(item, str)))
        result = function(*args, **named)
        if isinstance(result, str):
            _check_length(len(result))
        return result

    return measured


def _tojson(
    value: Any, indent: int | None = None, ensure_ascii: bool = False, separators: Any = None, sort_keys: bool = False
) -> str:
    if isinstance(indent, int) and indent > 100:
        raise LimitError("it fills a field that is too wide")
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _refuse(message: str) -> None:
    raise jinja2.TemplateError(message)


def _now(form: str) -> str:
    from datetime import datetime

    return datetime.now().astimezone().strftime(form[:100])


def _short_range(*args: int) -> Iterable[int]:
    found = range(*args)
    if len(found) > COUNT:
        raise LimitError(f"it counts beyond {COUNT:,}")
    return found
