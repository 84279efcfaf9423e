"""The text form of a question: a small part of PromQL, such as ``sum by (device) (rate(disk_read_bytes_total))``.

Grammar: ``[sum|avg|min|max [by (label, ...)] (] [rate|avg_over_time|...(] metric [{label="value", ...}] [)] [)]`` with ``=``,
``!=``, ``=~`` or ``!~`` before a value (see `perf.model.matching`), or for
a percentile of all series together ``p50|p95|p99 [by (label, ...)] (metric [{...}])``, which merges distributions;
``p95_over_time(...)`` is that of each series by itself, and nothing may stand around it: percentiles don't average or add up.
Over time there is no ``[5m]`` range: a question has one step, and that is the range.
"""

from __future__ import annotations

import re

import msgspec

from perf.errors import QueryError
from perf.model import Across, Aggregate, Selector
from perf.model.matching import Match, compiled

MAX_LENGTH = 500

_OVER_TIME = {
    "rate": Aggregate.RATE,
    "avg_over_time": Aggregate.AVG,
    "min_over_time": Aggregate.MIN,
    "max_over_time": Aggregate.MAX,
    "sum_over_time": Aggregate.SUM,
    "last_over_time": Aggregate.LAST,
    "count_over_time": Aggregate.COUNT,
    "p50_over_time": Aggregate.P50,
    "p95_over_time": Aggregate.P95,
    "p99_over_time": Aggregate.P99,
}
_PERCENTILES = tuple(aggregate.value for aggregate in Aggregate if aggregate.quantile)
_ACROSS = (*(across.value for across in Across if across is not Across.MERGE), *_PERCENTILES)
_FUNCTION = {aggregate: name for name, aggregate in _OVER_TIME.items()}
_TOKEN = re.compile(
    r'\s*(?:(?P<name>[A-Za-z_:][A-Za-z0-9_:]*)|(?P<text>"(?:[^"\\]|\\.)*")|(?P<mark>=~|!~|!=|[(){},=]))'
)
_MARKS = {(True, False): "!=", (False, True): "=~", (True, True): "!~"}
_TESTS = {mark: what for what, mark in _MARKS.items()}
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


class Expression(msgspec.Struct, frozen=True, kw_only=True):
    """What a text asks for; *aggregate* None means the natural one of the metric's kind."""

    selector: Selector
    aggregate: Aggregate | None = None
    across: Across | None = None
    by: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The text that parses to this expression."""
        inner = self.selector.metric
        if said := [
            *(f"{name}={_quoted(value)}" for name, value in self.selector.labels),
            *map(_test, self.selector.tests),
        ]:
            inner += "{" + ", ".join(said) + "}"
        if self.across is Across.MERGE:
            return f"{self.aggregate}{self._by}({inner})"
        if self.aggregate is not None:
            inner = f"{_FUNCTION[self.aggregate]}({inner})"
        if self.across is None:
            return inner
        return f"{self.across}{self._by}({inner})"

    @property
    def _by(self) -> str:
        return f" by ({', '.join(self.by)}) " if self.by else ""


def parse(text: str) -> Expression:
    """The expression that *text* says.

    Raises: QueryError with the column where it stops making sense.
    """
    if len(text) > MAX_LENGTH:
        raise QueryError(f"a query has at most {MAX_LENGTH} characters, not {len(text)}", text=text[:MAX_LENGTH])
    return _Parser(text).expression()


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _test(match: Match) -> str:
    """A test of a label as it is written."""
    return f"{match.label}{_MARKS[match.negated, match.pattern]}{_quoted(match.text)}"


class _Parser:
    """Reads tokens left to right; every method consumes what its name says."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(self._split(text))
        self._next = 0

    def _split(self, text: str) -> list[tuple[str, str, int]]:
        tokens, position, end = [], 0, len(text.rstrip())
        while position < end:
            match = _TOKEN.match(text, position)
            if match is None or match.lastgroup is None:
                at = position + len(text[position:]) - len(text[position:].lstrip())
                raise QueryError(f"unexpected {text[at]!r} at column {at + 1}", text=text, position=at)
            tokens.append((match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
            position = match.end()
        return [*tokens, ("end", "", len(text))]

    def expression(self) -> Expression:
        across, by = self._across()
        place = self._tokens[self._next][2]
        aggregate = self._opened(_OVER_TIME)
        if across in _PERCENTILES and aggregate:
            raise self._misplaced(f"{across}(...) takes a metric, not {_FUNCTION[aggregate]}(...)", place)
        if across and aggregate and aggregate.quantile:
            merged = f"{aggregate}{' by (label) ' if by else ''}(...)"
            raise self._misplaced(
                f"percentiles can't be combined by {across}; {merged} merges the distributions", place
            )
        selector = self._selector()
        if aggregate is not None:
            self._mark(")")
        if across:
            self._mark(")")
        self._expect("end", "the end of the query")
        if across in _PERCENTILES:
            return Expression(selector=selector, aggregate=Aggregate(across), across=Across.MERGE, by=by)
        return Expression(selector=selector, aggregate=aggregate, across=Across(across) if across else None, by=by)

    def _across(self) -> tuple[str, tuple[str, ...]]:
        """``sum`` and the like, or a percentile; empty when there is neither."""
        kind, value, _ = self._tokens[self._next]
        if kind != "name" or value not in _ACROSS or self._peek(1) not in ("(", "by"):
            return "", ()
        self._next += 1
        by: tuple[str, ...] = ()
        if self._peek() == "by":
            self._next += 1
            self._mark("(")
            names = [self._expect("name", "a label")]
            while self._peek() == ",":
                self._next += 1
                names.append(self._expect("name", "a label"))
            self._mark(")")
            by = tuple(names)
        self._mark("(")
        return value, by

    def _opened(self, functions: dict[str, Aggregate]) -> Aggregate | None:
        kind, value, position = self._tokens[self._next]
        if kind != "name" or self._peek(1) != "(":
            return None
        if value in _ACROSS:
            raise self._misplaced(f"{value} stands outermost", position)
        if value not in functions:
            known = ", ".join([*_ACROSS, *functions])
            raise QueryError(
                f"no function {value!r} at column {position + 1}; known: {known}", text=self._text, position=position
            )
        self._next += 2
        return functions[value]

    def _selector(self) -> Selector:
        metric = self._expect("name", "the name of a metric")
        labels: dict[str, str] = {}
        tests: list[Match] = []
        if self._peek() == "{":
            self._next += 1
            while self._peek() != "}":
                name = self._expect("name", "a label")
                if self._peek() in _TESTS:
                    tests.append(self._tested(name))
                else:
                    self._mark("=")
                    labels[name] = self._value()
                if self._peek() != "}":
                    self._mark(",")
            self._next += 1
        return Selector(metric, tuple(sorted(labels.items())), tuple(tests))

    def _tested(self, label: str) -> Match:
        negated, pattern = _TESTS[self._peek()]
        self._next += 1
        position = self._tokens[self._next][2]
        text = self._value()
        try:
            compiled(text if pattern else "")
        except ValueError as error:
            raise self._misplaced(str(error), position) from error
        return Match(label, text, negated, pattern)

    def _value(self) -> str:
        return _ESCAPE.sub(r"\1", self._expect("text", 'a value in "quotes"')[1:-1])

    def _peek(self, ahead: int = 0) -> str:
        index = min(self._next + ahead, len(self._tokens) - 1)
        return self._tokens[index][1]

    def _mark(self, mark: str) -> None:
        if self._tokens[self._next][:2] != ("mark", mark):
            self._fail(repr(mark))
        self._next += 1

    def _expect(self, kind: str, what: str) -> str:
        found, value, _ = self._tokens[self._next]
        if found != kind:
            self._fail(what)
        self._next += 1
        return value

    def _misplaced(self, what: str, position: int) -> QueryError:
        return QueryError(f"{what} (column {position + 1})", text=self._text, position=position)

    def _fail(self, expected: str) -> None:
        _, value, position = self._tokens[self._next]
        found = repr(value) if value else "the end"
        raise QueryError(
            f"expected {expected}, found {found} at column {position + 1}", text=self._text, position=position
        )
