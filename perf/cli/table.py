"""Rows as text in columns, for people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

WIDEST = 80
"""Characters of a cell; a longer one is cut and ends with an ellipsis."""


def rendered(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """*rows* under *columns*; numbers to the right, and nothing in a cell that could steer a terminal."""
    cells = [[cell(value) for value in row] for row in rows]
    heads = [cell(name) for name in columns]
    widths = [max(len(line[at]) for line in [heads, *cells]) for at in range(len(heads))]
    right = [bool(rows) and all(_is_number(row[at]) for row in rows) for at in range(len(heads))]
    lines = [heads, ["-" * width for width in widths], *cells]
    return "\n".join(_line(line, widths, right) for line in lines)


def cell(value: object) -> str:
    """One value on one line."""
    if value is None:
        return "NULL"
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(value))
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"


def moment(ts: float) -> str:
    """Unix seconds as date and time in UTC, which the column or the cell has to say."""
    return datetime.fromtimestamp(ts, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    columns = zip(cells, widths, right, strict=True)
    return "  ".join(text.rjust(width) if to_right else text.ljust(width) for text, width, to_right in columns).rstrip()
