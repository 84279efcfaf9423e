"""One typed piece of a condition, as a closure and as SQL, and how pieces are put together."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

Run = Callable[[Any], Any]  # Any: a row in; a number, text, truth or None out, as the term's type says


class Term(NamedTuple):
    """*type* is number, text or truth; *run* computes it of a row, *sql* with *parameters* the same; *columns* it looks at."""

    type: str
    run: Run
    sql: str
    parameters: tuple[object, ...]
    columns: frozenset[str]

    @property
    def described(self) -> str:
        """The type, for people."""
        return {"number": "a number", "text": "a text", "truth": "a truth value"}[self.type]


def demand(term: Term, wanted: str, node: ast.expr) -> None:
    """Raises: ValueError, with *node*, unless *term* is a *wanted*."""
    if term.type != wanted:
        other = Term(wanted, term.run, "", (), frozenset()).described
        raise ValueError(f"this is {term.described}, and {other} belongs here", node)


def derived(type_: str, parts: Sequence[Term], function: Callable[..., object], text: str) -> Term:
    """*function* of *parts*; None as soon as one of them is."""
    if len(parts) == 1:
        (one,) = (part.run for part in parts)

        def run(row: object) -> object:
            a = one(row)
            return None if a is None else function(a)

    else:
        left, right = (part.run for part in parts)

        def run(row: object) -> object:
            a, b = left(row), right(row)
            return None if a is None or b is None else function(a, b)

    return joined(type_, run, text.format(*(part.sql for part in parts)), parts)


def joined(type_: str, run: Run, text: str, parts: Sequence[Term]) -> Term:
    """A term of *parts* that is computed by *run* and written as *text*."""
    parameters = tuple(parameter for part in parts for parameter in part.parameters)
    return Term(type_, run, text, parameters, frozenset().union(*(part.columns for part in parts)))


def chosen(choose: Callable[..., float]) -> Callable[..., float | None]:
    """min or max as DuckDB has them: what is missing is passed over, and NaN is the largest number."""

    def run(*values: float | None) -> float | None:
        present = [value for value in values if value is not None]
        return choose(present, key=lambda value: (math.isnan(value), value)) if present else None

    return run
