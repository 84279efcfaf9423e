"""Questions about single slow calls."""

from __future__ import annotations

from perf.errors import QueryError
from perf.model import Exemplar, Window
from perf.ports import Store
from perf.selectors import parse


def slowest(store: Store, text: str, window: Window, limit: int = 50) -> list[Exemplar]:
    """The *limit* slowest calls, at most 10,000, of the series that *text* selects, the slowest first.

    Raises: QueryError for a text that isn't a plain selector.
    """
    expression = parse(text)
    if expression.aggregate is not None or expression.across is not None:
        raise QueryError("slow calls are asked for by a metric and its labels, without functions", text=text)
    return store.exemplars(expression.selector, window, limit)
