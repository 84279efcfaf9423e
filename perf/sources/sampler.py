"""The loop that reads every source at its interval and hands the samples over."""

from __future__ import annotations

import logging
import math
import re
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from time import perf_counter

import msgspec

from perf.loops import loudness
from perf.model import Beat, Kind, Metric, Sample
from perf.ports import Clock, Source

SECONDS = Metric("perf_source_collect_seconds", Kind.GAUGE, "s", "Duration of a source's newest reading.")
ERRORS = Metric("perf_source_errors_total", Kind.COUNTER, "1", "Readings of a source that raised.")

OWN_INTERVAL = 10.0
SECOND_READING = 0.25
"""Seconds from the first reading to the second, the first that has CPU shares."""

HANGING = 10.0
"""Seconds after which a reading that goes on is a problem."""

_VARYING = re.compile(r"0x[0-9a-f]+|\d+")
_LOG = logging.getLogger(__name__)


class Scheduled(msgspec.Struct, frozen=True):
    """A source, the name it is reported under, and how often it is read, in seconds."""

    name: str
    source: Source
    interval: float


class SourceState(msgspec.Struct, frozen=True, kw_only=True):
    """How a source is doing: *interval* in seconds, its *last* reading (Unix seconds) and how long that took (*seconds*),
    both None before the first; readings that raised so far, and why it fails at present.
    """

    name: str
    interval: float
    last: float | None
    seconds: float | None
    errors: int
    failure: str | None


class _Failure(msgspec.Struct, frozen=True):
    """Why something fails, and since when (Unix seconds)."""

    since: float
    error: str


class _Turn:
    """The state of one scheduled source. Written by the loop only; each attribute may be read by any thread."""

    def __init__(self, scheduled: Scheduled) -> None:
        self.scheduled = scheduled
        self.tick = -math.inf
        self.seconds: float | None = None
        self.errors = 0
        self.failure: _Failure | None = None
        self.logged = ""


class _OwnSource:
    """What the sampler says about its sources."""

    def __init__(self, turns: Sequence[_Turn]) -> None:
        self._turns = turns

    def collect(self, ts: float) -> Iterable[Sample]:
        for turn in self._turns:
            labels = (("source", turn.scheduled.name),)
            if turn.seconds is not None:
                yield Sample(ts, SECONDS, labels, round(turn.seconds, 6))
            yield Sample(ts, ERRORS, labels, float(turn.errors))


class Sampler:
    """Reads sources on ticks, multiples of each one's interval since the epoch, so that all stamps align."""

    def __init__(self, sources: Sequence[Scheduled], submit: Callable[[Sequence[Sample]], None], clock: Clock) -> None:
        self._submit = submit
        self._clock = clock
        turns = [_Turn(scheduled) for scheduled in sources]
        self._turns = [*turns, _Turn(Scheduled("sampler", _OwnSource(turns), OWN_INTERVAL))]
        self._delivery = _Turn(Scheduled("delivery", _OwnSource(()), 0.0))
        self._reading: tuple[str, float] | None = None
        self._last = clock.monotonic()

    def run(self, stop: threading.Event) -> None:
        """Read until *stop* is set. All sources at once, again after a quarter of a second, then on ticks.

        The first two readings are stamped with the moment they happen, all others with their tick. Ticks missed during
        sleep, or a source that took long, are left out, never caught up with.
        """
        self._round(early=True)
        if stop.wait(SECOND_READING):
            return
        self._round(early=True)
        while not stop.wait(self._pause()):
            self._round(early=False)

    def beat(self) -> Beat:
        """The loop's last sign of life."""
        interval = min(turn.scheduled.interval for turn in self._turns)
        errors = sum(turn.errors for turn in (*self._turns, self._delivery))
        return Beat(name="sampler", interval=interval, last=self._last, errors=errors)

    def problems(self) -> list[str]:
        """What is wrong now, a sentence each: sources that fail or hang, and samples nobody takes."""
        sentences = []
        reading, now = self._reading, self._clock.monotonic()
        if reading is not None and now - reading[1] >= HANGING:
            sentences.append(f"source {reading[0]!r} has not answered for {now - reading[1]:.0f} s")
        failing = ((turn.scheduled.name, turn.failure) for turn in self._turns)
        sentences += [f"source {name!r} {_since(failure)}" for name, failure in failing if failure is not None]
        if (refused := self._delivery.failure) is not None:
            sentences.append(f"handing samples over {_since(refused)}")
        return sentences

    def states(self) -> list[SourceState]:
        """How every source is doing."""
        return [
            SourceState(
                name=turn.scheduled.name,
                interval=turn.scheduled.interval,
                last=turn.tick if math.isfinite(turn.tick) else None,
                seconds=turn.seconds,
                errors=turn.errors,
                failure=None if turn.failure is None else _since(turn.failure),
            )
            for turn in self._turns
        ]

    def _round(self, *, early: bool) -> None:
        samples: list[Sample] = []
        begin = math.floor(self._clock.now() * 1000) / 1000
        for turn in self._turns:
            now, interval = self._clock.now(), turn.scheduled.interval
            stamp = begin if early else next_tick(now, turn.tick, interval)
            if stamp > now and not early:
                continue
            # A tick just behind an early reading would see too short a span to tell a share of CPU time.
            turn.tick = tick_before(now + min(interval, 1.0) / 2, interval) if early else stamp
            samples += self._collected(turn, stamp)
        if samples:
            self._guarded(self._delivery, lambda: self._submit(samples))
        self._last = self._clock.monotonic()

    def _collected(self, turn: _Turn, ts: float) -> list[Sample]:
        samples: list[Sample] = []
        self._reading = (turn.scheduled.name, self._clock.monotonic())
        begin = perf_counter()
        self._guarded(turn, lambda: samples.extend(turn.scheduled.source.collect(ts)))
        turn.seconds = perf_counter() - begin
        self._reading = None
        return samples

    def _guarded(self, turn: _Turn, action: Callable[[], None]) -> None:
        """Do *action*; what it raises is counted, kept for ``problems``, and logged when it is news."""
        try:
            action()
        except Exception as error:  # noqa: BLE001 - a thread's loop: one source must not end the others.
            turn.errors += 1
            text = f"{type(error).__name__}: {error}"
            since = turn.failure.since if turn.failure else self._clock.now()
            turn.failure = _Failure(since, text)
            news = _VARYING.sub("#", text)
            if news != turn.logged:
                turn.logged = news
                _LOG.log(loudness(error), "%s fails: %s", turn.scheduled.name, text, exc_info=True)
        else:
            turn.failure = None

    def _pause(self) -> float:
        now = self._clock.now()
        return max(0.0, min(next_tick(now, turn.tick, turn.scheduled.interval) for turn in self._turns) - now)


def tick_before(now: float, interval: float) -> float:
    """The newest multiple of *interval* since the epoch that is not after *now*."""
    return round(math.floor(now / interval + 1e-9) * interval, 6)


def next_tick(now: float, last: float, interval: float) -> float:
    """The tick to read next, given the one read *last*: due when it is not after *now*.

    After a pause it is the newest one, not all that were missed; when the clock was set back by more than an
    interval it is the newest by the new time.
    """
    newest = tick_before(now, interval)
    if newest > last or last - newest > interval:
        return newest
    return round(last + interval, 6)


def _since(failure: _Failure) -> str:
    moment = datetime.fromtimestamp(failure.since, UTC)
    return f"fails since {moment:%Y-%m-%d %H:%M:%S} UTC: {failure.error}"
