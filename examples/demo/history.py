"""Fills a store with two invented weeks of a shop: what the demo begins with, and what the screenshots show.

python -m examples.demo.history FILE --days 14
"""

from __future__ import annotations

import argparse
import gc
import socket
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter

from examples.demo import checks, incidents, machine, programs
from examples.demo.course import Course
from examples.demo.machine import Machine
from examples.demo.story import DAY, HOUR, SEED, Story
from perf.alerts import defaults
from perf.clock import ManualClock, SystemClock
from perf.model import Change, Window
from perf.ports import Clock, MetricStore
from perf.runtime import open_store
from perf.settings import StoreSettings

AHEAD = 600.0
"""Seconds after the present that are told: pictures show them, with sources off; and writing takes its time."""

AUTHOR = "dashboard"
"""Who changed what, as if it had been done on a page."""

_BATCH = HOUR


def changes(story: Story) -> list[Change]:
    """Who moved which threshold when, the oldest first."""
    path = "thresholds.memory_usage_percent"
    found = ((6.1, '{"warning":80.0,"critical":97.0}'), (4.3, None), (1.2, '{"warning":85.0,"critical":95.0}'))
    return [Change(ts=story.now - days * DAY, path=path, value=value, author=AUTHOR) for days, value in found]


def courses(story: Story, seen: Machine, host: str) -> list[Course]:
    """Every series of *story*, on a machine like *seen* that is called *host*. The same seed draws the same ones."""
    return [*machine.courses(story, seen), *programs.courses(story, host)]


def fill(path: Path, story: Story, seen: Machine, *, host: str = "shop-1", until: Clock | None = None) -> int:
    """Write *story* into the store at *path*, rolled up and sealed; how many measurements there are.

    With *until* it ends when that clock says so, since writing takes a while.
    """
    found = courses(story, seen, host)
    # The store lives through the two weeks: it believes no clock that jumps.
    clock = ManualClock(story.start)
    store = open_store(StoreSettings(path=str(path)), clock)
    gc.disable()
    try:
        for annotation in story.annotations():
            store.annotate(annotation)
        for change in changes(story):
            store.override(change)
        store.alerts.put_rule(incidents.REFUSED, AUTHOR)
        store.probes.keep(checks.results(story))
        count = _replayed(store, found, story, clock, until)
        rules = defaults.in_force(store.alerts.rules())
        store.alerts.commit(incidents.past(store, rules, Window(story.start, story.now)))
    finally:
        gc.enable()
        store.close()
    return count


def _replayed(
    store: MetricStore, found: Sequence[Course], story: Story, clock: ManualClock, until: Clock | None
) -> int:
    count, begin = 0, story.start // _BATCH * _BATCH
    while begin < (end := min(begin + _BATCH, story.end if until is None else until.now())):
        batch = [measurement for course in found for measurement in course.between(begin, end)]
        store.append(batch)
        count += len(batch)
        begin += _BATCH
        # Not beyond the present: what is rolled up is closed.
        clock.move(max(0.0, min(begin, story.now) - clock.now()))
        _kept_up(store, clock.now())
    return count


def _kept_up(store: MetricStore, now: float) -> None:
    """Upkeep takes a turn of 0.2 s at most: as many turns as are needed."""
    began = perf_counter()
    store.maintain(now)
    while perf_counter() - began > 0.2:
        began = perf_counter()
        store.maintain(now)


def main(argv: Sequence[str] | None = None) -> None:
    """Fill the file that the command line names."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.demo.history", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("file", type=Path, help="the store; what is there is kept")
    parser.add_argument("--days", type=float, default=14.0)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args(argv)
    sys.stdout.write(present(options.file, days=options.days, seed=options.seed) + "\n")


def present(path: Path, *, days: float = 14.0, seed: int = SEED) -> str:
    """Fill the store at *path* with a history that ends on this machine and now; a line that says so."""
    clock, began = SystemClock(), perf_counter()
    offset = (datetime.fromtimestamp(clock.now()).astimezone().utcoffset() or timedelta()).total_seconds()
    story = Story(clock.now(), days=days, offset=offset, ahead=AHEAD, seed=seed)
    count = fill(path, story, machine.present(clock), host=socket.gethostname(), until=clock)
    size = path.stat().st_size / 1e6
    return f"{count:,} measurements of {days:g} days, {size:.0f} MB, in {perf_counter() - began:.1f} s"


if __name__ == "__main__":
    main()
