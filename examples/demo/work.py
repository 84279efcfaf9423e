"""Invented calls that nest: what each observed, who called it, and the slowest of every hour."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import TypeAlias

import msgspec
import numpy as np

from examples.demo.course import Cloud, Course, Integers, Line, Slow
from examples.demo.story import DAY, HOUR, MINUTE, Mask, Story
from perf.model import Array, Exemplar, Labels, Metric
from perf.record.callers import CALLS, SECONDS, SELF, SPLIT

TRACED = 0.25
"""Share of the calls that are traced: about one a second and function, as perf does."""
NEAREST = ((7 * DAY, HOUR), (3 * HOUR, MINUTE))
"""From that age on, the slowest call of every such stretch is kept."""

Factor: TypeAlias = Callable[[Story, Array], Array]


def always(_: Story, ts: Array) -> Array:
    """1 at all times."""
    return np.ones(len(ts))


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """A call: either one that comes from outside, *pace* a second at noon with a *median* of seconds, or once in *every*
    seconds; or one inside of another, in a *share* of its calls, for a *part* of its time.

    *spread* is that of the logarithm. *often* and *slowly* (n,) of n times multiply how often, and how long.
    """

    name: str
    kind: str
    metric: Metric
    labels: dict[str, str]
    pace: float = 0.0
    every: float = 0.0
    share: float = 1.0
    median: float = 0.0
    part: float = 0.0
    spread: float = 0.3
    often: Factor = always
    slowly: Factor = always
    arguments: tuple[str, ...] = ()
    error: str = ""
    calls: tuple[Work, ...] = ()


class Observed(msgspec.Struct, frozen=True):
    """Calls of one work: the *steps* (n,) they ended in, ascending, and their *seconds* (n,)."""

    work: Work
    callers: tuple[str, ...]
    steps: Integers
    seconds: Array


class Calls:
    """Everything that programs of one *service* on one *host* do in the steps that end at *ts*."""

    def __init__(self, story: Story, ts: Array, **resource: str) -> None:
        """*resource*: labels of everything, such as the service and the host."""
        self._story = story
        self.ts = ts
        self.widths = np.diff(ts, prepend=ts[0] - MINUTE).clip(max=5 * MINUTE)
        for _, end in (story.outage, story.restart):
            first = int(np.searchsorted(ts, end))
            if 0 < first < len(ts) - 1:  # Nobody came while nothing ran.
                self.widths[first] = self.widths[first + 1]
        self._resource = resource
        self._found: dict[tuple[str, Labels], list[Observed]] = defaultdict(list)
        self._sums: dict[tuple[str, str, str], list[Array]] = {}
        self._split: dict[tuple[str, str], Array] = {}

    def come(self, work: Work) -> Array:
        """*work* comes from outside, with all that it calls; how often it came in each step (n,)."""
        story, ts = self._story, self.ts
        if work.every:
            due = np.diff(np.floor((ts + story.offset) / work.every), prepend=np.inf) > 0
            counts = (due & (story.random.random(len(ts)) < work.share * work.often(story, ts))).astype(np.int64)
        else:
            counts = story.random.poisson(work.pace * self.widths * work.often(story, ts))
        steps = np.repeat(np.arange(len(ts)), counts)
        median = work.median * work.slowly(story, ts)[steps]
        seconds = median * np.exp(work.spread * story.random.standard_normal(len(steps)))
        self._keep(Observed(work, (), steps, seconds))
        return counts.astype(np.float64)

    def courses(self) -> Iterator[Course]:
        """What was observed, and the traces of it."""
        for (_, labels), found in self._found.items():
            metric = found[0].work.metric
            steps = np.concatenate([each.steps for each in found])
            order = np.argsort(steps, kind="stable")
            seconds = np.concatenate([each.seconds for each in found])[order]
            yield Cloud(metric, labels, self.ts, np.searchsorted(steps[order], np.arange(len(self.ts) + 1)), seconds)
            if found[0].work.name:
                origins = np.repeat(np.arange(len(found)), [len(each.steps) for each in found])[order]
                yield Slow(sorted(self._slowest(found, origins, steps[order], seconds), key=lambda call: call.ts))
        for (caller, callee, kind), sums in self._sums.items():
            edge = {"callee": callee, "caller": caller, "kind": kind}
            for metric, amounts in zip((CALLS, SECONDS), sums, strict=True):
                yield self.counter(metric, edge, TRACED * amounts)
        for (function, kind), amounts in self._split.items():
            yield self.counter(SPLIT, {"function": function, "kind": kind}, TRACED * amounts)

    def counter(self, metric: Metric, labels: dict[str, str], amounts: Array) -> Line:
        """A counter that grew by *amounts* (n,), told every five minutes, and lately every minute."""
        total = self._story.counter(self.ts, amounts / self.widths, whole=False)
        stretch = np.where(self.ts < self._story.now - 3 * HOUR, 5 * MINUTE, MINUTE)
        told = np.diff(np.floor(self.ts / stretch), prepend=-1.0) != 0
        return Line(metric, self.labels(labels), self.ts[told], total[told])

    def gauge(self, metric: Metric, labels: dict[str, str], values: Array, where: Mask | None = None) -> Line:
        """A number at each of the times (n,), or of those *where* there is one."""
        return Line(metric, self.labels(labels), self.ts if where is None else self.ts[where], values)

    def spent(self, name: str) -> Array:
        """Seconds that the calls of *name* took in each step (n,)."""
        found = [sums[1] for (_, callee, _), sums in self._sums.items() if callee == name]
        total: Array = np.sum(found, axis=0).astype(np.float64)
        return total

    def labels(self, labels: dict[str, str]) -> Labels:
        """*labels* and those of the resource, as a store keeps what came over the wire: an empty one is none."""
        return tuple(sorted((name, value) for name, value in {**self._resource, **labels}.items() if value))

    def _keep(self, observed: Observed) -> dict[str, Array]:
        """Take *observed* and all that it calls; what its time went into, by kind, per step."""
        work, steps = observed.work, observed.steps
        self._found[work.metric.name, self.labels(work.labels)].append(observed)
        total = self._summed(steps, observed.seconds)
        if not work.name:
            return {}
        edge = (observed.callers[0] if observed.callers else "", work.name, work.kind)
        calls, sums = self._sums.setdefault(edge, [np.zeros(len(self.ts)), np.zeros(len(self.ts))])
        calls += self._summed(steps, np.ones(len(steps)))
        sums += total
        parts: dict[str, Array] = {}
        for each in work.calls:
            for kind, amounts in self._keep(self._inside(each, observed)).items():
                name = each.kind if kind == SELF else kind
                parts[name] = parts.get(name, 0.0) + amounts
        parts[SELF] = np.clip(total - sum(parts.values()), 0.0, None)
        if work.kind not in ("database", "http"):
            for kind, amounts in parts.items():
                self._split[work.name, kind] = self._split.get((work.name, kind), 0.0) + amounts
        return parts

    def _inside(self, work: Work, caller: Observed) -> Observed:
        story = self._story
        likely = (work.share * work.often(story, self.ts))[caller.steps]
        chosen = story.random.random(len(caller.steps)) < likely
        part = work.part * np.exp(work.spread * story.random.standard_normal(int(chosen.sum())))
        seconds = caller.seconds[chosen] * np.minimum(part, 0.97)
        return Observed(work, (caller.work.name, *caller.callers), caller.steps[chosen], seconds)

    def _summed(self, steps: Integers, amounts: Array) -> Array:
        return np.bincount(steps, amounts, minlength=len(self.ts)).astype(np.float64)

    def _slowest(self, found: list[Observed], origins: Integers, steps: Integers, seconds: Array) -> Iterator[Exemplar]:
        """The slowest call of every hour, and lately of every minute."""
        now, random = self._story.now, self._story.random
        for age, stretch in NEAREST:
            later = [one for one, _ in NEAREST if one < age]
            first, last = np.searchsorted(self.ts[steps], (now - age, now - later[0] if later else np.inf))
            if first == last:
                continue
            turns = np.flatnonzero(np.diff(self.ts[steps[first:last]] // stretch)) + 1 + first
            for begin, end in zip([first, *turns], [*turns, last], strict=True):
                place = begin + int(np.argmax(seconds[begin:end]))
                observed = found[origins[place]]
                # It ended some time within its step.
                ts = float(self.ts[steps[place]] - random.random() * min(self.widths[steps[place]], 10.0))
                yield Exemplar(
                    ts=ts,
                    metric=observed.work.metric,
                    labels=self.labels(observed.work.labels),
                    seconds=float(seconds[place]),
                    arguments=observed.work.arguments,
                    parents=observed.callers,
                    trace=random.bytes(16).hex(),
                    release=self._story.release(ts) if self._resource.get("service") == "shop" else "",
                    error=observed.work.error,
                )
