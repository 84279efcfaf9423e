"""The slowest calls of every series and minute, with what tells them apart; values of arguments only where that is allowed."""

from __future__ import annotations

import heapq
import itertools
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from perf.model import Exemplar
from perf.ports import Clock
from perf.record.series import Distribution
from perf.record.spans import Span

PER_MINUTE = 10
MAX_KEPT = 5_000
MAX_ARGUMENTS = 12
MAX_TEXT = 120
MAX_PARENTS = 8


class Exemplars:
    """What is kept: the *per_minute* slowest calls of each series of the present minute, and those of the minutes before."""

    def __init__(self, clock: Clock, *, per_minute: int = PER_MINUTE) -> None:
        self.per_minute = per_minute
        self.release = ""
        self.values_allowed = False
        self._clock = clock
        self._serial = itertools.count().__next__
        self._minute: dict[Distribution, list[tuple[int, int, Exemplar]]] = {}
        self._began = clock.now()
        self._kept: deque[Exemplar] = deque(maxlen=MAX_KEPT)

    def note(self, series: Distribution, took_ns: int, span: Span | None, args: Sequence[object],
             kwargs: Mapping[str, object], error: str = "") -> None:  # fmt: skip
        """A call of *series* took *took_ns*, longer than the fastest one kept."""
        arguments = described(args, kwargs, values=self.values_allowed)
        self.keep(series, took_ns, span, arguments, error, callers)

    def keep(self, series: Distribution, took_ns: int, span: Span | None, arguments: tuple[str, ...], error: str = "",
             around: Callable[[], tuple[str, ...]] = tuple) -> None:  # fmt: skip
        """As `note`, with the *arguments* as they are to be shown; *around* finds the callers of what is in no trace."""
        exemplar = Exemplar(
            ts=self._clock.now(),
            metric=series.metric,
            labels=series.labels,
            seconds=took_ns / 1e9,
            arguments=arguments,
            parents=span.callers() if span is not None and span.parent is not None else around(),
            trace=span.trace.id if span is not None else "",
            release=self.release,
            error=error,
        )
        worst = self._minute.setdefault(series, [])
        # Entries compare by two integers, so each call is one step in C: no thread sees half a heap.
        entry = (took_ns, self._serial(), exemplar)
        if len(worst) < self.per_minute:
            heapq.heappush(worst, entry)
        else:
            heapq.heappushpop(worst, entry)
        if len(worst) >= self.per_minute:
            series.slow = worst[0][0]

    def turn(self, *, last: bool = False) -> list[Exemplar]:
        """Those of the minute that has ended (with *last*: ends now), which nobody was handed before; else nothing."""
        now = self._clock.now()
        if 0 <= now - self._began < 60.0 and not last:
            return []
        self._began = now
        minute, self._minute = self._minute, {}
        for series in minute:
            series.slow = 0
        ended = [exemplar for worst in minute.values() for _, _, exemplar in worst]
        self._kept.extend(ended)
        return ended

    def since(self, ts: float) -> list[Exemplar]:
        """Those that ended at *ts* (Unix seconds) or later, the slowest first."""
        present = [entry[2] for worst in tuple(self._minute.values()) for entry in tuple(worst)]
        found = [exemplar for exemplar in (*tuple(self._kept), *present) if exemplar.ts >= ts]
        return sorted(found, key=lambda exemplar: -exemplar.seconds)

    def forget(self) -> None:
        """Start over, in a forked child."""
        self._minute = {}
        self._kept.clear()


def described(args: Sequence[object], kwargs: Mapping[str, object], *, values: bool = False) -> tuple[str, ...]:
    """The arguments of a call as texts: type and length, or a shortened repr where *values* are allowed."""
    texts = [_described(value, values=values) for value in args[:MAX_ARGUMENTS]]
    named = itertools.islice(kwargs.items(), max(0, MAX_ARGUMENTS - len(texts)))
    texts += [f"{name}={_described(value, values=values)}" for name, value in named]
    more = len(args) + len(kwargs) - len(texts)
    return (*texts, f"and {more} more") if more > 0 else tuple(texts)


def _described(value: object, *, values: bool) -> str:
    kind = type(value)
    # Only of builtins: the length or repr of others runs somebody's code, and may ask a database.
    if values and kind in (str, bytes, int, float, bool, type(None)):
        text = repr(value[:MAX_TEXT]) if isinstance(value, (str, bytes)) else repr(value)
        return text[:MAX_TEXT]
    if isinstance(value, (str, bytes, bytearray, list, tuple, dict, set, frozenset)) and kind.__module__ == "builtins":
        return f"{kind.__name__}({len(value)})"
    return kind.__qualname__


def callers() -> tuple[str, ...]:
    """Names of the functions on the stack of the present call, without perf's own, the nearest first."""
    frame = sys._getframe(1)  # noqa: SLF001 - inspect.currentframe is the same call
    names: list[str] = []
    above = frame.f_back
    own = True
    while above is not None and len(names) < MAX_PARENTS:
        module = above.f_globals.get("__name__", "")
        own = module.startswith(("perf.record", "perf.instrument")) or module == "perf.monitoring"
        if not own:
            names.append(f"{module}.{above.f_code.co_qualname}")
        above = above.f_back
    return tuple(names)
