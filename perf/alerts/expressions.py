"""What a condition may be made of: each node of its tree as a typed term that is both a closure and SQL."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Any

from perf.alerts.term import Run, Term, chosen, demand, derived, joined


def terms(node: ast.expr) -> Term:
    """The term of *node*. Raises: ValueError with a message and the node that is to blame."""
    make = _NODES.get(type(node))
    if make is None:
        raise ValueError(f"{_WORDS.get(type(node), type(node).__name__)} is not part of the language", node)
    return make(node)


def _constant(node: ast.Constant) -> Term:
    value = node.value
    if value is True or value is False:
        return Term("truth", lambda _: value, "TRUE" if value else "FALSE", (), frozenset())
    if isinstance(value, int | float):
        number = _finite(value, node)
        return Term("number", lambda _: number, "?::DOUBLE", (number,), frozenset())
    if isinstance(value, str):
        return Term("text", lambda _: value, "?::VARCHAR", (_sound(value, node),), frozenset())
    if value is None:
        raise ValueError("None is asked for with: is None", node)
    raise ValueError(f"{type(value).__name__} is not part of the language", node)


def _finite(value: float, node: ast.expr) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError("a number must be finite", node)
    return number


def _sound(value: str, node: ast.expr) -> str:
    if any(character == "\0" or 0xD800 <= ord(character) < 0xE000 for character in value):
        raise ValueError("this text holds a character that no label has", node)
    return value


def _name(node: ast.Name) -> Term:
    if node.id in _COLUMNS:
        type_, run, text = _COLUMNS[node.id]
        return Term(type_, run, text, (), frozenset({node.id}))
    if node.id == "labels":
        raise ValueError("name one label, like: labels['host']", node)
    raise ValueError(f"no {node.id!r}; known: {', '.join(_COLUMNS)}, labels['...'], {', '.join(_FUNCTIONS)}", node)


_COLUMNS: dict[str, tuple[str, Run, str]] = {
    "name": ("text", operator.itemgetter(0), "name"),
    "value": ("number", operator.itemgetter(1), "value"),
    "unit": ("text", operator.itemgetter(3), "unit"),
    "ts": ("number", operator.itemgetter(4), "epoch(ts)"),
}


def _label(node: ast.Subscript) -> Term:
    if not (isinstance(node.value, ast.Name) and node.value.id == "labels"):
        raise ValueError("only labels are looked up with [ ]", node)
    if not (isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str)):
        raise ValueError("a label is named by a text, like: labels['host']", node.slice)  # noqa: TRY004 - likewise
    label = _sound(node.slice.value, node.slice)
    return Term("text", lambda row: row[2].get(label), "labels[?::VARCHAR]", (label,), frozenset({"labels"}))


def _unary(node: ast.UnaryOp) -> Term:
    inner = terms(node.operand)
    if isinstance(node.op, ast.Not):
        demand(inner, "truth", node.operand)
        return derived("truth", [inner], lambda a: not a, "(NOT {})")
    if isinstance(node.op, ast.USub):
        demand(inner, "number", node.operand)
        return derived("number", [inner], operator.neg, "(-{})")
    raise ValueError(
        f"{'+' if isinstance(node.op, ast.UAdd) else '~'} before a value is not part of the language", node
    )


def _arithmetic(node: ast.BinOp) -> Term:
    if type(node.op) not in _ARITHMETIC:
        raise ValueError("only + - * / are part of the language", node)
    sides = [terms(node.left), terms(node.right)]
    for side, part in zip(sides, (node.left, node.right), strict=True):
        demand(side, "number", part)
    function, text = _ARITHMETIC[type(node.op)]
    return derived("number", sides, function, text)


def _divided(a: float, b: float) -> float | None:
    return a / b if b else None


_ARITHMETIC: dict[type[ast.operator], tuple[Callable[[float, float], float | None], str]] = {
    ast.Add: (operator.add, "({} + {})"),
    ast.Sub: (operator.sub, "({} - {})"),
    ast.Mult: (operator.mul, "({} * {})"),
    ast.Div: (_divided, "({} / nullif({}, 0))"),
}


def _bool(node: ast.BoolOp) -> Term:
    parts = [terms(value) for value in node.values]
    for part, value in zip(parts, node.values, strict=True):
        demand(part, "truth", value)
    decisive = isinstance(node.op, ast.Or)
    runs = [part.run for part in parts]

    def run(row: object) -> bool | None:
        unknown = False
        for one in runs:
            found: object = one(row)
            if found is decisive:
                return decisive
            unknown = unknown or found is None
        return None if unknown else not decisive

    word = " OR " if decisive else " AND "
    return joined("truth", run, f"({word.join(part.sql for part in parts)})", parts)


def _compare(node: ast.Compare) -> Term:
    nodes = [node.left, *node.comparators]
    pairs = [_pair(*three) for three in zip(nodes, node.ops, nodes[1:], strict=False)]
    if len(pairs) == 1:
        return pairs[0]
    runs = [pair.run for pair in pairs]

    def run(row: object) -> bool | None:
        found: list[object] = [one(row) for one in runs]
        return False if False in found else None if None in found else True

    return joined("truth", run, f"({' AND '.join(pair.sql for pair in pairs)})", pairs)


def _pair(left: ast.expr, op: ast.cmpop, right: ast.expr) -> Term:
    if isinstance(op, ast.Is | ast.IsNot):
        return _is_none(left, right, negated=isinstance(op, ast.IsNot))
    if isinstance(op, ast.In | ast.NotIn):
        return _in(left, right, negated=isinstance(op, ast.NotIn))
    one, other = terms(left), terms(right)
    if one.type == "truth":
        raise ValueError("truth values are joined with and, or, not", left)
    demand(other, one.type, right)
    function, sign = _COMPARISONS[type(op)]
    if one.type == "text":
        return derived("truth", [one, other], function, f"({{}} {sign} {{}})")

    def compared(a: float, b: float) -> bool | None:
        return bool(function(a, b)) if math.isfinite(a) and math.isfinite(b) else None

    if not (_computed(left) or _computed(right)):  # stored values and literals are finite
        return derived("truth", [one, other], function, f"({{}} {sign} {{}})")
    # What overflowed says nothing: DuckDB puts NaN above every number, Python below and above none.
    text = f"(CASE WHEN isfinite({one.sql}) AND isfinite({other.sql}) THEN {one.sql} {sign} {other.sql} END)"
    twice = (one.parameters + other.parameters) * 2
    found = derived("truth", [one, other], compared, "{}{}")
    return found._replace(sql=text, parameters=twice)


_COMPARISONS: dict[
    type[ast.cmpop], tuple[Callable[[Any, Any], Any], str]
] = {  # Any: two numbers, or two texts; operator's own return type
    ast.Eq: (operator.eq, "="),
    ast.NotEq: (operator.ne, "<>"),
    ast.Lt: (operator.lt, "<"),
    ast.LtE: (operator.le, "<="),
    ast.Gt: (operator.gt, ">"),
    ast.GtE: (operator.ge, ">="),
}


def _computed(node: ast.expr) -> bool:
    return any(isinstance(part, ast.BinOp) for part in ast.walk(node))


def _is_none(left: ast.expr, right: ast.expr, *, negated: bool) -> Term:
    if not (isinstance(right, ast.Constant) and right.value is None):
        raise ValueError("only None comes after is", right)
    inner = terms(left)
    run = inner.run
    if negated:
        return joined("truth", lambda row: run(row) is not None, f"({inner.sql} IS NOT NULL)", [inner])
    return joined("truth", lambda row: run(row) is None, f"({inner.sql} IS NULL)", [inner])


def _in(left: ast.expr, right: ast.expr, *, negated: bool) -> Term:
    inner = terms(left)
    if not isinstance(right, ast.Tuple | ast.List | ast.Set) or not right.elts:
        raise ValueError("after in comes a list of values, like: ('a', 'b')", right)
    if inner.type == "truth" or _computed(left):
        raise ValueError("only a column, a label or a function of them is looked for in a list", left)
    values = []
    for element in right.elts:
        if not isinstance(element, ast.Constant | ast.UnaryOp):
            raise ValueError("only plain values stand in a list", element)  # noqa: TRY004 - what a condition says is no type
        item = terms(element)
        demand(item, inner.type, element)
        values.append(item)
    listed = frozenset(item.run(None) for item in values)
    text = f"({{}} {'NOT IN' if negated else 'IN'} ({', '.join(item.sql for item in values)}))"
    found = derived("truth", [inner], lambda a: (a in listed) is not negated, text)
    return found._replace(parameters=inner.parameters + tuple(p for item in values for p in item.parameters))


def _call(node: ast.Call) -> Term:
    if not isinstance(node.func, ast.Name) or node.func.id not in _FUNCTIONS:
        raise ValueError(f"only these are called: {', '.join(_FUNCTIONS)}", node.func)
    if node.keywords:
        raise ValueError(f"{node.func.id} takes no named values", node.keywords[0].value)
    takes, gives, function, text = _FUNCTIONS[node.func.id]
    if len(node.args) != len(takes):
        raise ValueError(f"{node.func.id} takes {len(takes)} value{'s' * (len(takes) > 1)}, not {len(node.args)}", node)
    parts = [terms(argument) for argument in node.args]
    for part, wanted, argument in zip(parts, takes, node.args, strict=True):
        demand(part, wanted, argument)
    if node.func.id in ("min", "max"):
        runs = [part.run for part in parts]
        return joined(
            gives, lambda row: function(*[run(row) for run in runs]), text.format(*(part.sql for part in parts)), parts
        )
    return derived(gives, parts, function, text)


_TWO_NUMBERS = ("number", "number")
_TWO_TEXTS = ("text", "text")
_FUNCTIONS: dict[str, tuple[tuple[str, ...], str, Callable[..., object], str]] = {
    "abs": (("number",), "number", abs, "abs({})"),
    "min": (_TWO_NUMBERS, "number", chosen(min), "least({}, {})"),
    "max": (_TWO_NUMBERS, "number", chosen(max), "greatest({}, {})"),
    "len": (("text",), "number", lambda text: float(len(text)), "length({})::DOUBLE"),
    "startswith": (_TWO_TEXTS, "truth", str.startswith, "starts_with({}, {})"),
    "endswith": (_TWO_TEXTS, "truth", str.endswith, "ends_with({}, {})"),
    "contains": (_TWO_TEXTS, "truth", str.__contains__, "contains({}, {})"),
}


_NODES: dict[type[ast.expr], Callable[[Any], Term]] = {  # Any: each takes its own kind of node
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Subscript: _label,
    ast.UnaryOp: _unary,
    ast.BinOp: _arithmetic,
    ast.BoolOp: _bool,
    ast.Compare: _compare,
    ast.Call: _call,
}
_WORDS: dict[type[ast.expr], str] = {
    ast.Attribute: "a dot after a value",
    ast.Lambda: "lambda",
    ast.IfExp: "if ... else",
    ast.ListComp: "a loop",
    ast.SetComp: "a loop",
    ast.DictComp: "a loop",
    ast.GeneratorExp: "a loop",
    ast.JoinedStr: "a formatted text",
    ast.NamedExpr: "an assignment",
    ast.Tuple: "a list of values outside in",
    ast.List: "a list of values outside in",
    ast.Starred: "a star",
    ast.Await: "await",
}
