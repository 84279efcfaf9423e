"""The condition of a rule: text, checked against a whitelist, as a Python closure and as DuckDB SQL from one tree.

Nothing is ever evaluated as Python. Logic has three values as in SQL: a comparison with a missing label is neither true nor
false, and a condition holds only when it is true.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

import msgspec

from perf.alerts.expressions import terms
from perf.alerts.term import Term
from perf.errors import ConditionError

MAX_TEXT = 2_000
MAX_NODES = 200
MAX_DEPTH = 25


class Row(NamedTuple):
    """One sample that a condition is asked of."""

    name: str
    value: float | None
    labels: Mapping[str, str]
    unit: str = ""
    ts: float = 0.0


class Limit(NamedTuple):
    """The part of a condition that looks at the value: value *operator* *number*, written at *start* to *end* of the text."""

    operator: str
    number: float
    start: int
    end: int


Closure: TypeAlias = Callable[[Row], bool | None]


class Condition(msgspec.Struct, frozen=True):
    """A checked condition. *sql* is a truth value over the columns name, value, labels (MAP), unit and ts (TIMESTAMP), with
    its parameters; *metric* is the only name that it can hold for, or empty.

    With a *limit* the condition is that, and *rest*, which does not look at the value.
    """

    text: str
    closure: Closure
    sql: tuple[str, list[object]]
    metric: str
    limit: Limit | None
    rest: Closure


def compile(text: str) -> Condition:
    """The condition *text*. Raises: ConditionError with the column."""
    tree = _tree(text)
    whole = _term(tree, text)
    parts = _conjunction(tree)
    found = [_limit(part, text) for part in parts]
    limits = [limit for limit in found if limit is not None]
    others = [_term(part, text) for part, limit in zip(parts, found, strict=True) if limit is None]
    single = len(limits) == 1 and not any({"value", "ts"} & other.columns for other in others)
    return Condition(
        text=text,
        closure=_closure(whole),
        sql=(whole.sql, list(whole.parameters)),
        metric=_metric(parts),
        limit=limits[0] if single else None,
        rest=_closure(_both(others)),
    )


def _tree(text: str) -> ast.expr:
    if len(text) > MAX_TEXT:
        raise ConditionError(f"a condition has at most {MAX_TEXT:,} characters, not {len(text):,}", text=text)
    if not text.strip():
        raise ConditionError("a condition is missing, like: value > 85", text=text)
    for position, character in enumerate(text):
        if (ord(character) < 32 and character not in "\n\t") or 0xD800 <= ord(character) < 0xE000:
            raise _error(f"the character {character!r} is not allowed", text, position)
    line = text.replace("\n", " ").replace("\t", " ").lstrip(" ")
    try:
        tree = ast.parse(line, mode="eval").body
    except SyntaxError as error:
        raise _error(
            f"not understood: {error.msg}", text, _indent(text) + (error.offset or len(text) + 1) - 1
        ) from None
    except (ValueError, MemoryError, RecursionError) as error:
        raise _error(f"not understood: {error}", text, 0) from None
    _check_size(tree, text)
    return tree


def _check_size(tree: ast.expr, text: str) -> None:
    nodes, level = 0, [tree]
    for _ in range(MAX_DEPTH):
        nodes += len(level)
        if nodes > MAX_NODES:
            raise _error(f"more than {MAX_NODES} parts; make two rules of it", text, _column(level[0], text))
        level = [child for node in level for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
        if not level:
            return
    raise _error(f"nested deeper than {MAX_DEPTH}", text, _column(level[0], text))


def _term(node: ast.expr, text: str) -> Term:
    """*node* as a truth value."""
    try:
        term = terms(node)
        if term.type != "truth":
            raise ValueError(f"this is {term.described}; a condition compares it, like: value > 85", node)
    except ValueError as error:
        message, *where = error.args
        raise _error(message, text, _column(where[0] if where else node, text)) from None
    return term


def _both(parts: list[Term]) -> Term:
    """All of *parts*; true when there are none."""
    runs = [part.run for part in parts]

    def run(row: Row) -> bool | None:
        found = [one(row) for one in runs]
        return False if False in found else None if None in found else True

    return Term("truth", run, "", (), frozenset())


def _closure(term: Term) -> Closure:
    return term.run


def _conjunction(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
        return [part for value in node.values for part in _conjunction(value)]
    return [node]


_OPERATORS = {ast.Gt: ">", ast.GtE: ">=", ast.Lt: "<", ast.LtE: "<="}
_MIRRORED = {">": "<", ">=": "<=", "<": ">", "<=": ">="}


def _limit(node: ast.expr, text: str) -> Limit | None:
    """What *node* says when it compares the value with one number."""
    if not isinstance(node, ast.Compare) or len(node.ops) != 1:
        return None
    operator = _OPERATORS.get(type(node.ops[0]))
    if operator is None:
        return None
    left, right = node.left, node.comparators[0]
    if _number(left) is not None:
        left, right, operator = right, left, _MIRRORED[operator]
    number = _number(right)
    if number is None or not (isinstance(left, ast.Name) and left.id == "value"):
        return None
    start = _column(right, text)
    return Limit(operator, number, start, start + (right.end_col_offset or 0) - right.col_offset)


def _number(node: ast.expr) -> float | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _number(node.operand)
        return None if inner is None else -inner
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        number = float(node.value)  # type: ignore[arg-type]  # just asked
        return number if math.isfinite(number) else None
    return None


def _metric(parts: list[ast.expr]) -> str:
    """The name that one of *parts* demands."""
    for part in parts:
        if isinstance(part, ast.Compare) and len(part.ops) == 1 and isinstance(part.ops[0], ast.Eq):
            sides = (part.left, part.comparators[0])
            for one, other in (sides, sides[::-1]):
                if isinstance(one, ast.Name) and one.id == "name" and isinstance(other, ast.Constant):
                    return str(other.value)
    return ""


def _column(node: ast.AST, text: str) -> int:
    """0-based column of *node* in characters; Python counts bytes, and here from the first that isn't blank."""
    indent = _indent(text)
    return indent + len(text[indent:].encode()[: getattr(node, "col_offset", 0)].decode(errors="ignore"))


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip("\n\t "))


def _error(message: str, text: str, position: int) -> ConditionError:
    position = min(position, max(0, len(text) - 1))
    return ConditionError(f"column {position + 1}: {message}", text=text, position=position)
