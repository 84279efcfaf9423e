"""What a rule would have done: its condition over history, in runs, through the same state machine as live."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

from perf.alerts.condition import compile
from perf.alerts.kinds import KINDS, Track
from perf.alerts.kinds.threshold import coded
from perf.alerts.replay import Band, replay, silences
from perf.model import AlertRule, RuleKind, Window
from perf.ports import Store

FORS = (0.0, 60.0, 300.0)
FACTORS = (0.9, 0.95, 1.0, 1.05, 1.1)
"""Alternatives: of the rule's limit, and durations of the condition beside its own."""

MOST_SILENCES = 2_000
"""Silences of an alternative around which the state machine is asked: about 0.1 s each."""


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
    and how many of its *times* lie outside all of them. Alternatives that are silent too often to be tried are *left_out*.
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


def _alternatives(
    store: Store, rule: AlertRule, window: Window, marked: Sequence[Window], first: Sequence[Track]
) -> Iterator[Alternative | None]:
    """None stands for one of too many silences."""
    fors = sorted({*FORS, rule.for_seconds})
    for limit, changed in _limited(rule):
        tracks = _recoded(first, changed) if limit is not None and not rule.by else None
        if tracks is None:
            tracks = KINDS[changed.kind](changed, store, window)
        if sum(len(silences(changed, track, window)) for track in tracks) > MOST_SILENCES:
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
