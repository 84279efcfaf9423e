"""A store that an owner elsewhere keeps: the questions travel to it, and measurements do, under numbers that keep them from counting twice.

It holds nothing. Upkeep, alerting and sending are the owner's.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar
from weakref import WeakSet

from perf.errors import StoreAway, StoreBusy, StoreClosed, StoreError, StoreFull
from perf.model import (
    Annotation,
    Batch,
    Change,
    Distributions,
    Exemplar,
    Measurement,
    RangeQuery,
    Rows,
    RowsQuery,
    Selector,
    Series,
    SeriesInfo,
    SqlResult,
    StoreUsage,
    Threshold,
    Window,
)
from perf.model.measurement import storable
from perf.ports import Clock
from perf.settings import StoreSettings
from perf.store.remote.access import RemoteAccess
from perf.store.remote.alerts import RemoteAlerts
from perf.store.remote.asking import Asking
from perf.store.remote.fresh import Fresh
from perf.store.remote.probes import RemoteProbes
from perf.wire import columns, questions
from perf.wire.measurements import appended
from perf.wire.protocol import MOST_MEASUREMENTS, MSGPACK, PRODUCER

_T = TypeVar("_T")


class RemoteStore:
    """A `perf.ports.MetricStore` over HTTP, and `Distant`. `append` belongs to one thread, everything else may be used from any."""

    def __init__(self, settings: StoreSettings, clock: Clock) -> None:
        """Asks the owner at *settings.url*; it need not be there yet. Raises: StoreError for an address that is none."""
        self._asking = Asking(settings, clock)
        self._fresh = Fresh(clock)
        self._closed = False
        self._doubt: tuple[Sequence[Measurement], Sequence[Batch]] | None = None
        self._begin()
        self.desk = self.alerts = RemoteAlerts(self._open, self._fresh)
        self.probes = RemoteProbes(self._open)
        self.access = RemoteAccess(self._open, self._fresh)
        _stores.add(self)

    def append(self, samples: Sequence[Measurement], batches: Sequence[Batch] = ()) -> None:
        """Have the owner store *samples* and *batches*; when it returns, it has.

        Raises: StoreAway, StoreBusy, StoreFull (try the same list again: it is stored once), StoreError.
        """
        asking = self._open()
        if not samples and not batches:
            return
        bad = next((one for one in samples if not storable(one)), None)
        if bad is not None:
            raise StoreError(f"{bad.metric.name}: not a usable sample: {bad}")
        if max(len(samples), len(batches)) > MOST_MEASUREMENTS:
            raise StoreError(f"at most {MOST_MEASUREMENTS:,} measurements at once, not {len(samples):,}")
        if self._doubt is None or self._doubt[0] is not samples or self._doubt[1] is not batches:
            self._seq += 1
        body = appended(self._producer, self._seq, samples, batches)
        self._doubt = samples, batches
        try:
            asking.sent("POST", "append", body, {"content-type": MSGPACK})
        except (StoreAway, StoreBusy, StoreFull):
            raise  # It is not known whether it is stored: the same number once more.
        except StoreError:
            self._doubt = None
            raise
        self._doubt = None
        self._fresh.forget()

    def producers(self) -> dict[str, int]:
        """Producer -> highest sequence number stored, without processes that number for themselves what they append."""
        found = self._open().found("producers", dict[str, int])
        return {name: seq for name, seq in found.items() if not name.startswith(PRODUCER)}

    def series(self) -> list[SeriesInfo]:
        """Every known series, by id, as of a second ago at most."""
        return list(self._held("series", list[SeriesInfo]))

    def read(self, query: RangeQuery) -> list[Series]:
        """Answer *query*. Raises: QueryError, StoreAway, StoreError."""
        return self.reads([query])[0]

    def reads(self, queries: Sequence[RangeQuery]) -> list[list[Series]]:
        """The answers to *queries* in one request. Raises: QueryError for the first that can't be answered, StoreAway, StoreError."""
        body = self._open().answer("read", questions.Ranges(queries=tuple(queries))).body
        return self._unpacked(partial(columns.unpacked_series, questions=len(queries)), body)

    def distributions(self, query: RangeQuery, *, shape: bool = True) -> list[Distributions]:
        """What distributions observed. Raises: QueryError, StoreAway, StoreError."""
        body = self._open().answer("distributions", questions.Spread(query=query, shape=shape)).body
        return self._unpacked(columns.unpacked_distributions, body)

    def rows(self, query: RowsQuery) -> Rows:
        """One page of raw samples. Raises: QueryError, StoreAway, StoreError."""
        return self._unpacked(columns.unpacked_rows, self._open().answer("rows", query).body)

    def exemplars(self, selector: Selector, window: Window, limit: int) -> list[Exemplar]:
        """The slowest calls first. Raises: QueryError, StoreAway, StoreError."""
        asked = questions.Slowest(selector=selector, window=window, limit=limit)
        return self._open().found("exemplars", list[Exemplar], asked)

    def sql(self, text: str, *, max_rows: int = 10_000) -> SqlResult:
        """The rows of a statement that reads. Raises: QueryError, StoreAway, StoreError."""
        return self._open().found("sql", SqlResult, questions.Statement(sql=text, max_rows=max_rows))

    def maintain(self, now: float) -> None:  # noqa: ARG002 - what is due is told by the owner's clock
        """Have the owner do the upkeep that is due there. Raises: StoreAway, StoreError."""
        self._open().done("maintain", {})
        self._fresh.forget()

    def usage(self) -> StoreUsage:
        """What the owner's store holds."""
        return self._held("usage", StoreUsage)

    def override(self, change: Change) -> None:
        """Record *change*. Raises: StoreAway, StoreError."""
        self._open().done("override", change)
        self._fresh.forget()

    def overrides(self) -> dict[str, str]:
        """Path -> JSON value of every override in force, as of a second ago at most."""
        return dict(self._held("overrides", dict[str, str]))

    def changes(self, limit: int = 50) -> list[Change]:
        """The newest changes first."""
        return self._open().found("changes", list[Change], questions.Newest(limit=limit))

    def annotate(self, annotation: Annotation) -> None:
        """Keep *annotation*. Raises: StoreAway, StoreError."""
        self._open().done("annotate", annotation)

    def annotations(self, window: Window) -> list[Annotation]:
        """Deploys and notes, the oldest first. Raises: StoreAway, StoreError."""
        return self._open().found("annotations", list[Annotation], window)

    def thresholds(self) -> dict[str, Threshold]:
        """Metric -> threshold in force at the owner, as of a second ago at most."""
        return dict(self._held("thresholds", dict[str, Threshold]))

    def channels(self) -> dict[str, str]:
        """Name of every channel -> why the owner can't use it, or nothing; empty while it is away."""
        try:
            return dict(self._held("alerts/channels", dict[str, str]))
        except StoreAway:
            return {}

    def forward(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the owner's answer to *body* at *path*, whatever it is. Raises: StoreAway."""
        return self._open().relayed(path, body, headers)

    def away(self) -> str:
        """Why the owner can't be asked at present; it is asked now, unless it answered within a second."""
        try:
            self._held("about", questions.About)
        except StoreClosed:
            return "the store is closed"
        except StoreError as error:
            return str(error)
        return ""

    def close(self) -> None:
        """Let go of the connections; a second call does nothing."""
        self._closed = True
        self._asking.link.close()

    def _begin(self) -> None:
        """Become a producer nobody has heard of."""
        self._producer = f"{PRODUCER}{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._seq = 0
        self._doubt = None
        self._fresh.forked()
        self._asking.link.forked()

    def _open(self) -> Asking:
        if self._closed:
            raise StoreClosed(f"{self._asking.link.url}: the store is closed")
        return self._asking

    def _held(self, path: str, kind: type[_T]) -> _T:
        asking = self._open()
        return self._fresh.of(path, lambda: asking.found(path, kind))

    def _unpacked(self, unpack: Callable[[bytes], _T], body: bytes) -> _T:
        try:
            return unpack(body)
        except columns.Garbled as error:
            raise self._asking.strange(error) from error


_stores: WeakSet[RemoteStore] = WeakSet()


def _forked() -> None:
    for store in list(_stores):
        store._begin()  # noqa: SLF001 - this module's own


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
