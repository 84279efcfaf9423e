"""What a rule would have done: its condition over history, in runs, through the same state machine as live."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

from perf.alerts.condition import compile
from perf.alerts.kinds import KINDS, Track
from perf.alerts.kinds.threshold import coded
from perf.alerts.kinds.track import BREACH, CLEARED
from perf.alerts.newest import Flags
from perf.alerts.step import GONE, Seen, step
from perf.model import EVERY, AlertRule, Incident, Labels, RuleKind, Window
from perf.ports import Store

FORS = (0.0, 60.0, 300.0)
FACTORS = (0.9, 0.95, 1.0, 1.05, 1.1)
"""Alternatives: of the rule's limit, and durations of the condition beside its own."""

MOST_RUNS = 2_000
"""Changes of the condition in an alternative, beside plain ones, that the state machine is asked about: about 0.1 s each."""


class Band(msgspec.Struct, frozen=True):
    """One time that it would have fired: from *start* to *end* (Unix seconds), for *labels*."""

    start: float
    end: float
    labels: Labels


class Alternative(msgspec.Struct, frozen=True):
    """What another *limit* (None: the condition has no single one) or duration would have meant."""

    limit: float | None
    for_seconds: float
    times: int
    seconds: float
    caught: int
    outside: int


class Preview(msgspec.Struct, frozen=True):
    """How often it would have fired, *seconds* in all, and when; how many of the *marked* incidents it would have *caught*,
    and how many of its *times* lie outside all of them. Alternatives that change too often to be tried are *left_out*.
    """

    times: int
    seconds: float
    bands: list[Band]
    alternatives: list[Alternative]
    marked: int = 0
    caught: int = 0
    outside: int = 0
    left_out: int = 0


def preview(
    store: Store, rule: AlertRule, window: Window, *, marked: Sequence[Window] = (), alternatives: bool = True
) -> Preview:
    """What *rule* would have done in *window*, begun afresh at its start.

    Raises: ConditionError, RuleError, QueryError, StoreError.
    """
    tracks = KINDS[rule.kind](rule, store, window)
    bands = replay(rule, tracks, window)
    caught, outside = _matched(bands, marked)
    others = list(_alternatives(store, rule, window, marked, tracks)) if alternatives else []
    return Preview(
        times=len(bands),
        seconds=_seconds(bands),
        bands=bands,
        alternatives=[one for one in others if one is not None],
        marked=len(marked),
        caught=caught,
        outside=outside,
        left_out=others.count(None),
    )


def replay(rule: AlertRule, tracks: Sequence[Track], window: Window) -> list[Band]:
    """When *rule* would have fired, by time."""
    bands = [band for track in tracks for band in _bands(rule, track, window)]
    return sorted(bands, key=lambda band: (band.start, band.labels))


def _bands(rule: AlertRule, track: Track, window: Window) -> Iterator[Band]:
    runs = _Runs(rule, track, window)
    yield from runs.bands(rule, track)
    incident: Incident | None = None
    for seen, now, before in _events(rule, track, runs):
        if incident is not None:
            incident = msgspec.structs.replace(incident, seen=before)
        after = step(rule, seen, incident, now).incident
        if after is not None and not after.open:
            if incident is not None and after.fired_at is not None:
                yield Band(after.fired_at, after.resolved_at or now, track.labels)
            after = None
        incident = after
    if incident is not None and incident.fired_at is not None:
        yield Band(incident.fired_at, window.end, track.labels)


class _Runs:
    """Runs of equal codes without a silence inside: indexes of the *first* and *last* evaluation of each, and when the next one
    comes. Most of noise is *plain*: the condition holds between two runs in which it is cleared, without a silence beside it and
    without `keep_firing`. Before and after it the state machine has nothing to remember, so what it says is worked out at once.
    """

    def __init__(self, rule: AlertRule, track: Track, window: Window) -> None:
        ts, codes = track.ts, track.codes
        silent = np.diff(ts) > rule.patience
        edges = np.flatnonzero((np.diff(codes) != 0) | silent)
        self.first = np.append(0, edges + 1)[: len(ts)]
        self.last = np.append(edges, len(ts) - 1)[: len(ts)]
        self.next = np.append(ts[self.first[1:]], window.end)[: len(ts)]
        cleared, calm = codes[self.first] == CLEARED, self.next - ts[self.last] <= min(rule.patience, GONE)
        rest = cleared & calm
        breached = codes[self.first] == BREACH
        self.plain = breached & calm & _before(rest) & np.append(cleared[1:], True)[: len(ts)]
        self.plain &= rule.keep_firing == 0
        self.told = ~(self.plain | rest & _before(self.plain))

    def bands(self, rule: AlertRule, track: Track) -> Iterator[Band]:
        """When the plain runs would have fired."""
        ts = track.ts
        first, last, over = self.first[self.plain], self.last[self.plain], self.next[self.plain]
        at = np.searchsorted(ts, ts[first] + rule.for_seconds)
        at += ts[np.minimum(at, len(ts) - 1)] - ts[first] < rule.for_seconds  # what the sum has rounded
        fired = at <= last
        for start, end in zip(ts[at[fired]].tolist(), over[fired].tolist(), strict=True):
            yield Band(start, end, track.labels)


def _before(runs: Flags) -> Flags:
    """Of each run, whether the one before it is among *runs*; the first follows on nothing, which is as good."""
    return np.append(True, runs[:-1])[: len(runs)]


def _events(rule: AlertRule, track: Track, runs: _Runs) -> Iterator[tuple[Seen, float, float]]:
    """Evaluations that can change the state, the moment of each, and the time of the evaluation before it: of each run that
    isn't plain the first, those at which a duration is over, and the last; and silences.
    """
    ts, told = track.ts, runs.told
    for start, end, following in zip(
        runs.first[told].tolist(), runs.last[told].tolist(), runs.next[told].tolist(), strict=True
    ):
        for index in _run(rule, track, start, end):
            seen = track.seen(index)
            yield seen, seen.ts, float(ts[max(0, index - 1)])
        yield from _silence(rule, track, float(ts[end]), following)


def _run(rule: AlertRule, track: Track, start: int, end: int) -> list[int]:
    first = float(track.ts[start])
    chosen = {start, end}
    if track.codes[start] == CLEARED:
        # It was last held by the evaluation before this run; `keep` runs from there.
        held = float(track.ts[start - 1]) if start else first
        chosen.add(_reached(track, held + rule.keep_firing, start, end))
    else:
        chosen.add(_reached(track, first + rule.for_seconds, start, end))
    return sorted(chosen)


def _reached(track: Track, moment: float, start: int, end: int) -> int:
    return min(end, max(start, int(np.searchsorted(track.ts, moment))))


def _silence(rule: AlertRule, track: Track, last: float, following: float) -> Iterator[tuple[Seen, float, float]]:
    """The turns at which a live evaluation would have noticed that nothing came after *last*."""
    for wait in (rule.patience, GONE):
        noticed = (math.floor((last + wait) / EVERY) + 1) * EVERY
        if noticed < following:
            yield Seen(ts=last, labels=track.labels, breach=None), noticed, last


def _alternatives(
    store: Store, rule: AlertRule, window: Window, marked: Sequence[Window], first: Sequence[Track]
) -> Iterator[Alternative | None]:
    """None stands for one that has too many turns."""
    fors = sorted({*FORS, rule.for_seconds})
    for limit, changed in _limited(rule):
        tracks = _recoded(first, changed) if limit is not None and not rule.by else None
        if tracks is None:
            tracks = KINDS[changed.kind](changed, store, window)
        if sum(int(_Runs(changed, track, window).told.sum()) for track in tracks) > MOST_RUNS:
            yield from [None] * len(fors)
            continue
        for duration in fors:
            bands = replay(msgspec.structs.replace(changed, for_seconds=duration), tracks, window)
            caught, outside = _matched(bands, marked)
            yield Alternative(limit, duration, len(bands), _seconds(bands), caught, outside)


def _recoded(tracks: Sequence[Track], rule: AlertRule) -> list[Track] | None:
    """*tracks* by the limit of *rule*, without asking the store again."""
    limit = compile(rule.condition).limit
    if limit is None:
        return None
    return [msgspec.structs.replace(track, codes=coded(track.values, limit, rule.clear)) for track in tracks]


def _limited(rule: AlertRule) -> Iterator[tuple[float | None, AlertRule]]:
    """*rule* with other limits; its clear limit keeps its distance."""
    limit = compile(rule.condition).limit if rule.kind is RuleKind.THRESHOLD else None
    if limit is None:
        yield None, rule
        return
    for factor in FACTORS:
        number = float(f"{limit.number * factor:.6g}")
        text = f"{rule.condition[: limit.start]}{number:g}{rule.condition[limit.end :]}"
        clear = None if rule.clear is None else rule.clear + number - limit.number
        yield number, msgspec.structs.replace(rule, condition=text, clear=clear)


def _matched(bands: Sequence[Band], marked: Sequence[Window]) -> tuple[int, int]:
    """How many of *marked* some band touches, and how many of *bands* touch none."""
    starts, ends = np.array([band.start for band in bands]), np.array([band.end for band in bands])
    touching = [(starts < span.end) & (ends > span.start) for span in marked]
    none = np.zeros(len(bands), np.bool_)
    return sum(bool(one.any()) for one in touching), int((~np.logical_or.reduce([none, *touching])).sum())


def _seconds(bands: Sequence[Band]) -> float:
    return sum(band.end - band.start for band in bands)
