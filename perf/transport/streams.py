"""What other programs count, as what happened: increases of running totals, per sender, and our own totals over all senders.

Several processes send the same series. A counter of ours is one running total, so each sender's increases are added up here; a
sender that starts anew is told by its start time or by a smaller number. What a sender had counted before this process began to
listen isn't known to be new and counts for nothing. State changes only when `keep` is called: what the store refused is still an
increase when it is sent again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, MutableMapping
from typing import Generic, TypeVar

import msgspec

from perf.model import Labels, Metric, Sample
from perf.transport.buckets import Explicit, Exponential

FORGET_AFTER = 6 * 3600.0
"""Seconds without a word from a sender after which its stream is forgotten."""
SILENT_AFTER = 300.0
"""Seconds after which a sender's share of a sum over processes (requests in flight) no longer counts."""
TICK = 0.001
"""Totals of one series are at least this far apart in time, in seconds."""

Key = tuple[Hashable, ...]
_K = TypeVar("_K")
_V = TypeVar("_V")


class _Seen(msgspec.Struct, frozen=True):
    """The newest point of a sender: times in Unix seconds, *heard* when it came."""

    start: float
    ts: float
    value: float | Explicit | Exponential
    heard: float


class _Total(msgspec.Struct, frozen=True):
    value: float
    ts: float
    heard: float


class _Draft(Generic[_K, _V]):
    """A mapping whose changes can be taken back."""

    def __init__(self) -> None:
        self.kept: dict[_K, _V] = {}
        self._new: dict[_K, _V] = {}

    def get(self, key: _K) -> _V | None:
        found = self._new.get(key)
        return self.kept.get(key) if found is None else found

    def put(self, key: _K, value: _V) -> None:
        self._new[key] = value

    def keep(self) -> list[tuple[_K, _V | None, _V]]:
        """Every change: its key, the value before and after it."""
        changes = [(key, self.kept.get(key), new) for key, new in self._new.items()]
        self.kept.update(self._new)
        self._new.clear()
        return changes

    def discard(self) -> None:
        self._new.clear()

    def restore(self, key: _K, before: _V | None, after: _V) -> bool:
        """Put *before* back in place of *after*; False when something later stands there."""
        if self.kept.get(key) is not after:
            return False
        if before is None:
            del self.kept[key]
        else:
            self.kept[key] = before
        return True


class Streams:
    """The memory of a receiver that began to listen at *started* (Unix seconds). Not thread-safe: one decoding at a time."""

    def __init__(self, started: float) -> None:
        self._started = started
        self._swept = started
        self._seen: _Draft[Key, _Seen] = _Draft()
        self._totals: _Draft[Key, _Total] = _Draft()
        self._shares: _Draft[Key, dict[Key, _Total]] = _Draft()

    def increase(self, key: Key, span: tuple[float, float], value: float, *, now: float) -> float | None:
        """How much the running total *value* of sender and series *key* grew; *span* is its start and time. None when repeated."""
        start, ts = span
        before = self._seen.get(key)
        if before is not None and ts <= before.ts:
            return None
        self._seen.put(key, _Seen(start, ts, value, now))
        if before is None:
            return value if start >= self._started else 0.0
        old = before.value
        return value if not isinstance(old, float) or start > before.start or value < old else value - old

    def observed(
        self, key: Key, span: tuple[float, float], point: Explicit | Exponential, *, now: float
    ) -> Explicit | Exponential | None:
        """What a running histogram observed since its last point; *span* is its start and time. None when nothing is known."""
        start, ts = span
        before = self._seen.get(key)
        if before is not None and ts <= before.ts:
            return None
        self._seen.put(key, _Seen(start, ts, point, now))
        if before is None:
            return point if start >= self._started else None
        old = before.value
        if start > before.start:
            return point
        if isinstance(point, Explicit):
            return (point.since(old) if isinstance(old, Explicit) else None) or point
        return (point.since(old) if isinstance(old, Exponential) else None) or point

    def newest(self, key: Key) -> float:
        """Time of the newest point of a running total, in Unix seconds; 0 when none came."""
        before = self._seen.get(key)
        return 0.0 if before is None else before.ts

    def total(
        self, metric: Metric, labels: Labels, span: tuple[float, float], increase: float, *, now: float
    ) -> list[Sample]:
        """Our counter after *increase*, which came within *span*. Its time never goes back: what arrives late counts as late.

        A total that is new here is preceded by a zero, so that neither its first increase is lost nor an earlier
        process's total is taken for its beginning.
        """
        start, ts = span
        key = (metric.name, labels)
        before = self._totals.get(key)
        zero = []
        if before is None:
            before = _Total(0.0, max(min(start, now), self._started), now)
            zero = [Sample(before.ts, metric, labels, 0.0)]
        after = _Total(before.value + increase, max(min(ts, now), before.ts + TICK), now)
        self._totals.put(key, after)
        return [*zero, Sample(after.ts, metric, labels, after.value)]

    def level(self, metric: Metric, labels: Labels, key: Key, told: tuple[float, float], *, now: float) -> Sample:
        """A sum over processes that goes up and down, after sender *key* *told* a time and its share."""
        ts, value = told
        series = (metric.name, labels)
        shares = {
            sender: share
            for sender, share in (self._shares.get(series) or {}).items()
            if now - share.heard <= SILENT_AFTER
        }
        shares[key] = _Total(value, ts, now)
        self._shares.put(series, shares)
        newest = max(share.ts for share in shares.values())
        return Sample(newest, metric, labels, math.fsum(share.value for share in shares.values()))

    def share(self, metric: Metric, labels: Labels, key: Key) -> float:
        """The share of sender *key* in `level`; 0 for a new one."""
        shares = self._shares.get((metric.name, labels)) or {}
        return shares[key].value if key in shares else 0.0

    def keep(self, now: float) -> Callable[[], None]:
        """Make the changes since the last call stand, and now and then forget who fell silent.

        What is returned takes these changes back, also after later ones: the store has failed to keep what they stand for.
        """
        seen, totals = self._seen.keep(), self._totals.keep()
        self._shares.keep()
        if now - self._swept > FORGET_AFTER / 6:
            self._swept = now
            _sweep(self._seen.kept, now)
            # A total that comes again begins with a zero, later than everything of it that is stored.
            _sweep(self._totals.kept, now)
            self._started = max(self._started, now - FORGET_AFTER)

        def undo() -> None:
            for key, before, after in seen:
                self._seen.restore(key, before, after)
            for key, was, then in totals:
                if not self._totals.restore(key, was, then) and (total := self._totals.kept.get(key)) is not None:
                    less = total.value - then.value + (was.value if was is not None else 0.0)
                    self._totals.kept[key] = _Total(less, total.ts, total.heard)

        return undo

    def discard(self) -> None:
        """Take the changes since the last `keep` back."""
        self._seen.discard()
        self._totals.discard()
        self._shares.discard()


def _sweep(kept: MutableMapping[Key, _Seen] | MutableMapping[Key, _Total], now: float) -> None:
    for key in [key for key, value in kept.items() if now - value.heard > FORGET_AFTER]:
        del kept[key]
