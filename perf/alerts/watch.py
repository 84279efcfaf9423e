"""One rule as it is watched: what of it is read once, and what its newest evaluation saw."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from perf.alerts.kinds import KINDS, Track
from perf.alerts.kinds.health_check import as_threshold
from perf.alerts.kinds.threshold import Subject, beyond, coded, grouped
from perf.alerts.kinds.track import newest
from perf.alerts.newest import Board, Flags, Newest
from perf.alerts.step import Seen
from perf.model import EVERY, AlertRule, Incident, Labels, NoData, RuleKind, Window
from perf.ports import Store


class Watch:
    """A rule between its evaluations."""

    def __init__(self, rule: AlertRule) -> None:
        """Raises: ConditionError, RuleError."""
        self.rule = rule
        self._subject = _subject(rule)
        self._meant: Flags = np.zeros(0, np.bool_)
        self._last: dict[Labels, float] = {}

    def late(self, board: Board) -> bool:
        """Whether it looks at newest values alone, and some of them came since the look before: that may be between evaluations."""
        if self._subject is None or self.rule.aggregate != "last" or self.rule.by:
            return False  # A group is judged once all of it is there.
        return board.of(self._subject.metric).news

    def seen(
        self, store: Store, board: Board, before: float, tick: float, held: Mapping[Labels, Incident]
    ) -> Iterator[tuple[Seen, float]]:
        """What came from the evaluation *before* to that of *tick*, and when it counts; what changes nothing is left out.

        Raises: RuleError, QueryError, StoreError.
        """
        came = list(self._came(store, board, before, tick, held))
        for seen in came:
            yield seen, seen.ts
        if before == tick:  # Who is silent was asked at that evaluation.
            return
        yield from self._silent(before, tick, held, {seen.labels for seen in came})

    def _came(
        self, store: Store, board: Board, before: float, tick: float, held: Mapping[Labels, Incident]
    ) -> Iterator[Seen]:
        if self._subject is not None and self.rule.aggregate == "last":
            yield from self._quick(self._subject, board.of(self._subject.metric), held)
            return
        start = tick if math.isinf(before) else min(tick, before + EVERY)
        for seen in newest(KINDS[self.rule.kind](self.rule, store, Window(start, tick + 1.0))):
            self._note(seen.labels, seen.ts)
            yield seen

    def _quick(self, subject: Subject, latest: Newest, held: Mapping[Labels, Incident]) -> Iterator[Seen]:
        """From the newest values alone: no question to the store."""
        self._mean(subject, latest)
        limit = subject.condition.limit
        if self.rule.by or limit is None:
            came = latest.since if self.rule.by else latest.fresh
            yield from self._slow(subject, latest, np.flatnonzero(self._meant & came))
            return
        self._note_all(latest)
        telling = beyond(latest.values, limit)
        for labels in held:
            if (place := latest.places.get(labels)) is not None:
                telling[place] = True
        telling &= latest.fresh
        telling &= self._meant
        chosen = telling.nonzero()[0]
        if not len(chosen):
            return
        ts, values = latest.ts[chosen], latest.values[chosen]
        codes = coded(values, limit, self.rule.clear)
        for index, place in enumerate(chosen.tolist()):
            yield Track(latest.labels[place], ts, codes, values).seen(index)

    def _slow(
        self, subject: Subject, latest: Newest, chosen: np.ndarray[tuple[int], np.dtype[np.intp]]
    ) -> Iterator[Seen]:
        tracks = []
        for place in chosen.tolist():
            ts, values = latest.ts[place : place + 1], latest.values[place : place + 1]
            codes = subject.codes(latest.metric, latest.labels[place], ts, values)
            tracks.append(Track(latest.labels[place], ts, codes, values))
        for seen in newest(grouped(tracks, self.rule.by) if self.rule.by else tracks):
            self._note(seen.labels, seen.ts)
            yield seen

    def _mean(self, subject: Subject, latest: Newest) -> None:
        """Which series the rule watches; each is asked once."""
        known = len(self._meant)
        if known < len(latest.labels):
            more = [subject.watches(latest.metric, labels) for labels in latest.labels[known:]]
            self._meant = np.concatenate((self._meant, np.array(more, np.bool_)))

    def _note(self, labels: Labels, ts: float) -> None:
        if self.rule.no_data is NoData.ALERT:
            self._last[labels] = ts

    def _note_all(self, latest: Newest) -> None:
        if self.rule.no_data is NoData.ALERT:
            chosen = np.flatnonzero(self._meant & latest.fresh)
            self._last.update(zip([latest.labels[i] for i in chosen], latest.ts[chosen].tolist(), strict=True))

    def _silent(
        self, before: float, tick: float, held: Mapping[Labels, Incident], came: set[Labels]
    ) -> Iterator[tuple[Seen, float]]:
        """Incidents without a sample for too long; and for rules that alert of it, other series, at the moment it is noticed."""
        for labels, incident in held.items():
            if incident.open and labels not in came and tick - incident.seen > self.rule.patience:
                yield Seen(ts=incident.seen, labels=labels, breach=None), tick
        for labels, last in self._last.items():
            known = held.get(labels)
            noticed = (math.floor((last + self.rule.patience) / EVERY) + 1) * EVERY
            if before < noticed <= tick and labels not in came and (known is None or not known.open):
                yield Seen(ts=last, labels=labels, breach=None), tick


def _subject(rule: AlertRule) -> Subject | None:
    if rule.kind is RuleKind.THRESHOLD:
        return Subject(rule)
    return Subject(as_threshold(rule)) if rule.kind is RuleKind.HEALTH_CHECK else None
