"""What verbs ask about stored data, whoever answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import msgspec

from perf.model import SqlResult


class ExportRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which samples: expressions (selectors when *raw*), times and step as people write them, the form of the file, and
    the time zone of its readable times.
    """

    queries: tuple[str, ...]
    start: str
    end: str
    step: str = ""
    raw: bool = False
    form: str = "csv"
    zone: str = "UTC"


class Data(Protocol):
    """Stored data, through the owner or from the file."""

    def sql(self, text: str, *, max_rows: int) -> SqlResult:
        """The rows of one read-only statement, as JSON would give them back. Raises: PerfError."""

    def export(self, wanted: ExportRequest) -> Iterator[bytes]:
        """The bytes of a file. Raises: PerfError, also half-way."""
