"""Which rows are taken: a filter over columns, read as a small expression that can reach nothing else."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

from workbench.core.errors import UserError

Test = Callable[[Mapping[str, Any]], bool]

LONGEST = 2000

COMPARISONS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.In: lambda one, other: one in other, ast.NotIn: lambda one, other: one not in other,
    ast.Is: operator.is_, ast.IsNot: operator.is_not,
}  # fmt: skip
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "len": lambda value: 0 if value is None else len(value),
    "words": lambda value: len(str(value or "").split()),
    "lower": lambda value: str(value or "").lower(),
    "number": float,
}
METHODS: dict[str, Callable[[Any, Any], bool]] = {
    "startswith": lambda text, start: str(text or "").startswith(str(start)),
    "endswith": lambda text, end: str(text or "").endswith(str(end)),
}
GRAMMAR = (
    "columns, numbers and texts with and, or, not, in, is, == != < <= > >=, and len(), words(), lower(), number(), "
    '.startswith(), .endswith(); another name than a plain word is row["…"]'
)


def read_filter(expression: str) -> Test:
    """A test of one row from an expression such as `lang == "en" and words(output) > 3`.

    A value that cannot be compared (a missing one, a text with a number) fails the test. UserError where the expression
    holds anything but its small grammar.
    """
    if len(expression) > LONGEST:
        raise UserError(f"data.filter is longer than {LONGEST:,} characters; shorten it.")
    try:
        tree = ast.parse(expression.strip(), mode="eval").body
        test = _compiled(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise UserError(f"data.filter cannot be read: {expression[:80]!r}; it takes {GRAMMAR}.") from None

    def passes(row: Mapping[str, Any]) -> bool:
        try:
            return bool(test(row))
        except (TypeError, ValueError, OverflowError):
            return False

    return passes


def _compiled(node: ast.expr) -> Callable[[Mapping[str, Any]], Any]:
    if isinstance(node, ast.Constant) and isinstance(node.value, (str, int, float, bool, type(None))):
        value = node.value
        return lambda _: value
    if isinstance(node, ast.Name):
        name = node.id
        return lambda row: row.get(name)
    column = _named_column(node)
    if column is not None:
        return lambda row: row.get(column)
    if isinstance(node, (ast.List, ast.Tuple)):
        items = [_compiled(item) for item in node.elts]
        return lambda row: [item(row) for item in items]
    if isinstance(node, ast.BoolOp):
        parts = [_compiled(part) for part in node.values]
        if isinstance(node.op, ast.And):
            return lambda row: all(part(row) for part in parts)
        return lambda row: any(part(row) for part in parts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub)):
        inner = _compiled(node.operand)
        return (lambda row: not inner(row)) if isinstance(node.op, ast.Not) else (lambda row: -inner(row))
    if isinstance(node, ast.Compare):
        return _comparison(node)
    if isinstance(node, ast.Call) and not node.keywords and len(node.args) == 1:
        argument = _compiled(node.args[0])
        if isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS:
            function = FUNCTIONS[node.func.id]
            return lambda row: function(argument(row))
        if isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
            method, owner = METHODS[node.func.attr], _compiled(node.func.value)
            return lambda row: method(owner(row), argument(row))
    raise UserError(f"data.filter cannot hold {ast.unparse(node)[:60]!r}; it takes {GRAMMAR}.")


def _named_column(node: ast.expr) -> str | None:
    """The column of `row["column"]`."""
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and isinstance(node.slice, ast.Constant):
        name = node.slice.value
        return name if node.value.id == "row" and isinstance(name, str) else None
    return None


def _comparison(node: ast.Compare) -> Callable[[Mapping[str, Any]], Any]:
    first = _compiled(node.left)
    rest = [(COMPARISONS[type(op)], _compiled(value)) for op, value in zip(node.ops, node.comparators, strict=True)]

    def compare(row: Mapping[str, Any]) -> bool:
        left = first(row)
        for test, value in rest:
            right = value(row)
            if not test(left, right):
                return False
            left = right
        return True

    return compare
