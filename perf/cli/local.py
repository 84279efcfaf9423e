"""The store's own file, opened for the time that one question takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from perf import timerange
from perf.cli.questions import ExportRequest
from perf.decoding import from_json
from perf.errors import StoreError
from perf.model import Selector, SqlResult, Window
from perf.ports import Clock, MetricStore
from perf.views import export
from perf.views.export import Record
from perf.views.series import answer, known


class LocalData:
    """What is stored in *store*, which this process has opened."""

    def __init__(self, store: MetricStore, clock: Clock) -> None:
        self._store, self._clock = store, clock

    def sql(self, text: str, *, max_rows: int) -> SqlResult:
        """The rows of a read-only statement. Raises: QueryError, StoreError."""
        console: Callable[..., SqlResult] | None = getattr(self._store, "sql", None)
        if console is None:
            raise StoreError("this store does not speak SQL")
        # There and back, so that an answer looks the same as one from the owner.
        return from_json(msgspec.json.encode(console(text, max_rows=max_rows), enc_hook=str), SqlResult)

    def export(self, wanted: ExportRequest) -> Iterator[bytes]:
        """The file, in pieces. Raises: QueryError, StoreError."""
        window = timerange.window(wanted.start, wanted.end, self._clock.now())
        if wanted.raw:
            pieces = self._raw(wanted.queries, window)
        else:
            step = timerange.duration(wanted.step) if wanted.step else None
            pieces = export.stepped(answer(self._store, wanted.queries, window, step=step))
        return export.encoded(pieces, export.Format(wanted.form), wanted.zone)

    def _raw(self, queries: tuple[str, ...], window: Window) -> Iterator[list[Record]]:
        """Samples of the series that *queries* mean; to the store, no selector at all would mean every series."""
        found = [Selector(info.metric.name, info.labels) for info in known(self._store, queries)] if queries else []
        return iter(()) if queries and not found else export.raw(self._store, found, window)
