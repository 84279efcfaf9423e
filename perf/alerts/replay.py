"""When a rule would have fired, from its evaluations over time.

Most of it is worked out at once: while samples come, an incident begins once the condition held for long enough, and ends at the
first evaluation that is cleared for long enough, whatever was before. Only around a silence the state machine itself is asked.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from perf.alerts.kinds.track import BREACH, CLEARED, Track
from perf.alerts.step import GONE, Seen, step
from perf.model import EVERY, AlertRule, Array, Incident, Labels, NoData, Window

_Places = npt.NDArray[np.intp]


class Band(msgspec.Struct, frozen=True):
    """One time that it would have fired: from *start* to *end* (Unix seconds), for *labels*."""

    start: float
    end: float
    labels: Labels


def replay(rule: AlertRule, tracks: Sequence[Track], window: Window) -> list[Band]:
    """When *rule* would have fired, by time."""
    bands = [band for track in tracks if len(track.ts) for band in _bands(rule, track, window)]
    return sorted(bands, key=lambda band: (band.start, band.labels))


def silences(rule: AlertRule, track: Track, window: Window) -> _Places:
    """The evaluations of *track* after which it is silent for so long that the state machine has to be asked."""
    following = np.append(track.ts[1:], window.end)[: len(track.ts)]
    return np.flatnonzero(following - track.ts > min(rule.patience, GONE))


class _Runs(NamedTuple):
    """Runs of equal codes without a silence inside: places of the *first* and the *last* evaluation of each."""

    first: _Places
    last: _Places


def _bands(rule: AlertRule, track: Track, window: Window) -> Iterator[Band]:
    ts, silent = track.ts, silences(rule, track, window)
    runs = _runs(track, silent)
    fires, closes = _fires(rule, track, runs), _closes(rule, track)
    wanted = np.ones(len(fires), np.bool_)
    done = -1
    for end in silent.tolist():
        if end <= done or not _asked(rule, track, end, fires, closes):
            continue
        begin = max(done + 1, _last(closes, end) + 1)
        found, done = _around(rule, track, runs, window, min(begin, end), end)
        wanted[np.searchsorted(fires, begin) : np.searchsorted(fires, done, "right")] = False
        yield from found
    fires = fires[wanted]
    over = np.searchsorted(closes, fires, "right")
    over, first = np.unique(over, return_index=True)
    ends = np.append(ts[closes], window.end)[over]
    for start, finish in zip(ts[fires[first]].tolist(), ends.tolist(), strict=True):
        yield Band(start, finish, track.labels)


def _runs(track: Track, silent: _Places) -> _Runs:
    edges = np.union1d(np.flatnonzero(np.diff(track.codes)), silent[silent < len(track.ts) - 1])
    return _Runs(np.append(0, edges + 1), np.append(edges, len(track.ts) - 1))


def _fires(rule: AlertRule, track: Track, runs: _Runs) -> _Places:
    """Where the condition has held for long enough: at most once in each run."""
    ts, breached = track.ts, track.codes[runs.first] == BREACH
    first, last = runs.first[breached], runs.last[breached]
    at = np.searchsorted(ts, ts[first] + rule.for_seconds)
    at += ts[np.minimum(at, len(ts) - 1)] - ts[first] < rule.for_seconds  # what the sum has rounded
    return np.asarray(at[at <= last])


def _closes(rule: AlertRule, track: Track) -> _Places:
    """Where an incident that fires would end: cleared, and `keep_firing` after it last was not."""
    ts, cleared = track.ts, track.codes == CLEARED
    held = np.maximum.accumulate(np.where(cleared, -1, np.arange(len(ts))))
    return np.flatnonzero(cleared & ((held < 0) | (ts - ts[held] >= rule.keep_firing)))


def _asked(rule: AlertRule, track: Track, end: int, fires: _Places, closes: _Places) -> bool:
    """Whether the silence after *end* means anything: something is pending or fires, or the rule alerts of silence."""
    if rule.no_data is NoData.ALERT or track.codes[end] == BREACH:
        return True
    return _last(fires, end) > _last(closes, end)


def _last(places: _Places, end: int) -> int:
    """The last of *places* up to *end*; -1 when there is none."""
    found = int(np.searchsorted(places, end, "right"))
    return int(places[found - 1]) if found else -1


def _around(rule: AlertRule, track: Track, runs: _Runs, window: Window, begin: int, end: int) -> tuple[list[Band], int]:
    """What the state machine says from *begin*, where there is no incident, over the silence after *end* until there is none any
    more; and the place of the last evaluation that it was asked about.
    """
    found, incident = [], None
    for number in range(int(np.searchsorted(runs.first, begin, "right")) - 1, len(runs.first)):
        last = int(runs.last[number])
        for seen, now, before in _events(rule, track, int(runs.first[number]), last, window):
            if incident is not None:
                incident = msgspec.structs.replace(incident, seen=before)
            after = step(rule, seen, incident, now).incident
            if after is not None and not after.open:
                if incident is not None and after.fired_at is not None:
                    found.append(Band(after.fired_at, after.resolved_at or now, track.labels))
                after = None
            incident = after
        if last >= end and incident is None:
            return found, last
    return [*found, *_still(incident, window, track.labels)], len(track.ts) - 1


def _still(incident: Incident | None, window: Window, labels: Labels) -> list[Band]:
    """The band of an *incident* that has not ended."""
    return [] if incident is None or incident.fired_at is None else [Band(incident.fired_at, window.end, labels)]


def _events(rule: AlertRule, track: Track, start: int, end: int, window: Window) -> Iterator[tuple[Seen, float, float]]:
    """Evaluations of a run that can change the state (the first, those at which a duration is over, and the last) and the silence
    after it; the moment of each, and the time of the evaluation before it.
    """
    ts = track.ts
    for index in _chosen(rule, track, start, end):
        seen = track.seen(index)
        yield seen, seen.ts, float(ts[max(0, index - 1)])
    last, following = float(ts[end]), float(ts[end + 1]) if end + 1 < len(ts) else window.end
    for wait in (rule.patience, GONE):
        # The turn at which a live evaluation would have noticed that nothing came.
        noticed = (math.floor((last + wait) / EVERY) + 1) * EVERY
        if noticed < following:
            yield Seen(ts=last, labels=track.labels, breach=None), noticed, last


def _chosen(rule: AlertRule, track: Track, start: int, end: int) -> list[int]:
    first = float(track.ts[start])
    if track.codes[start] == CLEARED:
        # It was last held by the evaluation before this run; `keep_firing` runs from there.
        held = float(track.ts[start - 1]) if start else first
        return sorted({start, _reached(track.ts, held + rule.keep_firing, start, end), end})
    return sorted({start, _reached(track.ts, first + rule.for_seconds, start, end), end})


def _reached(ts: Array, moment: float, start: int, end: int) -> int:
    return min(end, max(start, int(np.searchsorted(ts, moment))))
