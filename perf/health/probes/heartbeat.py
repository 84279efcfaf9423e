"""Did every background job succeed when it should have? Judged by what the jobs told of themselves, also before a restart."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from perf.errors import StoreError
from perf.model import Aggregate, Labels, ProbeResult, RangeQuery, Selector, Series, SeriesInfo, Status, Window
from perf.ports import Clock

EVERY = "job_expected_interval_seconds"
GRACE = "job_grace_seconds"
SUCCESS = "job_last_success_timestamp_seconds"
DEFAULT_GRACE = 60.0
"""Of a job that tells none."""
REACH = 400 * 86_400.0
"""How far back the store is asked after a restart."""
_LISTED = 5


class Expectation(msgspec.Struct, kw_only=True):
    """A job as it was announced: seconds, and Unix seconds (*success* is None when it never was)."""

    every: float
    grace: float
    since: float
    success: float | None = None


class HeartbeatProbe:
    """Every announced job succeeded within its interval and grace: one missing run is degraded, two are unhealthy.

    *series* and *read* are the store's. A job is one by name and service: it may run on another host each time.
    """

    def __init__(
        self,
        series: Callable[[], Sequence[SeriesInfo]],
        read: Callable[[RangeQuery], Sequence[Series]],
        clock: Clock,
    ) -> None:
        self._series, self._read, self._clock = series, read, clock
        self._remembered: dict[int, tuple[float, float] | None] = {}

    def check(self) -> ProbeResult:
        """Unknown when the store can't be read; healthy when no job is expected."""
        now = self._clock.now()
        try:
            jobs = self._expected(now)
        except StoreError as error:
            return ProbeResult(name="heartbeat", status=Status.UNKNOWN, message=f"could not read: {error}", ts=now)
        states = {name: overdue(expected, now) for name, expected in jobs.items()}
        late = [sentence(name, jobs[name], now) for name, state in states.items() if state is not Status.HEALTHY]
        more = [f"and {len(late) - _LISTED} more"] if len(late) > _LISTED else []
        calm = f"{len(jobs)} jobs are on time" if jobs else "no job told how often it runs"
        return ProbeResult(
            name="heartbeat",
            status=Status.worst(list(states.values())) if jobs else Status.HEALTHY,
            message="; ".join(late[:_LISTED] + more) or calm,
            ts=now,
            evidence={"jobs": float(len(jobs)), "late": float(len(late))},
        )

    def _expected(self, now: float) -> dict[str, Expectation]:
        """Shown name -> the newest expectation, and the newest success on any host; retired ones left out."""
        told: dict[str, dict[tuple[str, str], tuple[float, float]]] = {EVERY: {}, GRACE: {}, SUCCESS: {}}
        since: dict[tuple[str, str], float] = {}
        for info in self._series():
            known = told.get(info.metric.name)
            newest = None if known is None else self._newest(info, now)
            if known is None or newest is None:
                continue
            key = _key(info.labels)
            if info.metric.name == SUCCESS:
                newest = (newest[1], newest[1])  # The latest success, whoever told it last.
            known[key] = max(newest, known.get(key, newest))
            if info.metric.name == EVERY:
                since[key] = min(info.first_seen, since.get(key, info.first_seen))
        successes = told[SUCCESS]
        return {
            _shown(key): Expectation(
                every=every,
                grace=told[GRACE].get(key, (0.0, DEFAULT_GRACE))[1],
                since=since[key],
                success=successes[key][1] if key in successes else None,
            )
            for key, (_, every) in told[EVERY].items()
            if every > 0
        }

    def _newest(self, info: SeriesInfo, now: float) -> tuple[float, float] | None:
        """Time and value of the last sample; from before the store was opened, asked once and remembered."""
        if info.last_ts is not None and info.last_value is not None:
            return info.last_ts, info.last_value
        if info.sid not in self._remembered:
            window = Window(max(info.first_seen - 1.0, now - REACH), now + 1.0)
            query = RangeQuery(
                selector=Selector(info.metric.name, info.labels),
                window=window,
                step=max(60.0, window.seconds / 1_000),
                aggregate=Aggregate.LAST,
            )
            found = next((one for one in self._read(query) if one.labels == info.labels and len(one.values)), None)
            self._remembered[info.sid] = None if found is None else (float(found.ts[-1]), float(found.values[-1]))
        return self._remembered[info.sid]


def overdue(job: Expectation, now: float) -> Status:
    """Degraded when the last run is missing, unhealthy when the one before is, too."""
    age = now - (job.since if job.success is None else job.success)
    if age > 2 * job.every + job.grace:
        return Status.UNHEALTHY
    return Status.DEGRADED if age > job.every + job.grace else Status.HEALTHY


def sentence(name: str, job: Expectation, now: float) -> str:
    """``nightly: last success 26 h ago, expected every 1 d``."""
    if job.success is None:
        last = f"no success in the {span(now - job.since)} since it was announced"
    else:
        last = f"last success {span(now - job.success)} ago"
    return f"{name}: {last}, expected every {span(job.every)}"


def span(seconds: float) -> str:
    """Rounded down in the largest unit that leaves at least two, or one when it is exact: ``26 h``, ``1 d``, ``90 s``."""
    for width, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * width or seconds == width:
            return f"{seconds / width:.0f} {unit}" if seconds % width == 0 else f"{int(seconds // width)} {unit}"
    return f"{seconds:.0f} s"


def _key(labels: Labels) -> tuple[str, str]:
    values = dict(labels)
    return values.get("job", "?"), values.get("service", "")


def _shown(key: tuple[str, str]) -> str:
    name, service = key
    return f"{name} ({service})" if service else name
