"""A table that is asked for again and again, in memory: read once, and then as its one writing thread changed it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Held(Generic[_T]):
    """The rows of a table by their id. One thread changes them, any may ask."""

    def __init__(self, read: Callable[[], dict[str, _T]]) -> None:
        """*read* reads the table; asked until it answers once."""
        self._read = read
        self._rows: dict[str, _T] | None = None
        self._lock = threading.Lock()

    def rows(self) -> dict[str, _T]:
        """Id -> row; not to be changed. Raises: as *read* does."""
        rows = self._rows
        if rows is None:
            found = self._read()
            with self._lock:
                # What was changed since the question is newer than its answer.
                rows = self._rows = found if self._rows is None else self._rows
        return rows

    def become(self, rows: dict[str, _T]) -> None:
        """The table was changed, and holds *rows*."""
        with self._lock:
            self._rows = rows
