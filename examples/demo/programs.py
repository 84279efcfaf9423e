"""What the shop, the back office and the jobs recorded in the story: the same series that they record when they run."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import Any

import numpy as np

from examples.demo import caches
from examples.demo.course import Course
from examples.demo.story import BACK_OFFICE, DAY, HOUR, JOBS, MINUTE, SHOP, Story, within
from examples.demo.work import Calls, Factor, Work
from perf.instrument import http, jobs, served
from perf.instrument.asyncio import LAG
from perf.instrument.gc import PAUSE
from perf.instrument.logging import MESSAGES
from perf.instrument.streamlit import RERUN, SESSIONS, WIDGETS
from perf.model import Array
from perf.record.timers import FUNCTION, OPERATION, PAGE

GRID = ((np.inf, 10 * MINUTE), (7.5 * DAY, 5 * MINUTE), (2 * DAY, MINUTE), (3 * HOUR, 10.0))
PROVIDER = "payments.example"
SYNC, NIGHTLY = "stock_sync", "nightly_report"
SYNC_EVERY, NIGHTLY_EVERY = 2 * MINUTE, DAY


def courses(story: Story, host: str) -> Iterator[Course]:
    """Every series of the three programs, which run on *host*."""
    ts = story.times(GRID)
    yield from _shop(story, Calls(story, ts, service=SHOP, host=host))
    yield from _office(story, Calls(story, ts, service=BACK_OFFICE, host=host))
    yield from _jobs(Calls(story, ts, service=JOBS, host=host))


def visitors(story: Story, ts: Array) -> Array:
    """1.15 at noon, 0.15 at night, three times as many with the newsletter."""
    return (0.15 + story.activity(ts)) * (1.0 + 2.0 * story.crowd(ts))


def misses(story: Story, ts: Array) -> Array:
    """The share of look-ups that the cache can't answer: less since products are cached for longer."""
    return np.where(ts < story.cached, 0.35, 0.12)


def refused(story: Story, ts: Array) -> Array:
    """The share of payments that the provider refuses: one in fifty, and 40 % while it is overrun."""
    return np.where(within(ts, story.refusals), 0.4, 0.02)


def scanned(story: Story, ts: Array) -> Array:
    """How much longer a query without an index takes: four times as long now, as its table is."""
    return 1.0 + 3.0 * story.growth(ts)


def ranked(story: Story, ts: Array) -> Array:
    """1 since searches rank what they found, else 0."""
    return (ts >= story.restart[1]).astype(np.float64)


def request(method: str, route: str, status: int, **numbers: Any) -> Work:  # the numbers of Work
    """A request that the shop answers, as the middleware records it."""
    labels = {"http_request_method": method, "http_response_status_code": str(status), "http_route": route}
    error = str(status) if status >= 500 else ""
    if error:
        labels["error_type"] = error
    name = f"{method} {route}"
    return Work(name=name, kind="request", metric=served.DURATION, labels=labels, error=error, **numbers)


def function(name: str, category: str, **numbers: Any) -> Work:  # as above
    """A decorated function."""
    labels = {"category": category, "function": name}
    return Work(name=name, kind="function", metric=FUNCTION, labels=labels, **numbers)


def query(operation: str, table: str, **numbers: Any) -> Work:  # as above
    """A statement on a SQLite connection."""
    name = f"{operation} {table}".rstrip()
    labels = {"db_collection": table, "db_operation": operation, "db_query_summary": name, "db_system": "sqlite"}
    return Work(name=name, kind="database", metric=OPERATION, labels=labels, **numbers)


def payment(status: int, **numbers: Any) -> Work:  # as above
    """A call of the payment provider."""
    labels = {"http_request_method": "POST", "http_response_status_code": str(status), "server_address": PROVIDER}
    error = str(status) if status >= 400 else ""
    if error:
        labels["error_type"] = error
    return Work(name=f"POST {PROVIDER}", kind="http", metric=http.DURATION, labels=labels, error=error, **numbers)


def page(name: str, **numbers: Any) -> Work:  # as above
    """A run of a Streamlit page."""
    return Work(name=name, kind="page", metric=RERUN, labels={"page": name}, **numbers)


def job(name: str, outcome: str, **numbers: Any) -> Work:  # as above
    """A run of a job."""
    labels = {"job": name, "outcome": outcome}
    error = "" if outcome == "success" else "TimeoutError"
    return Work(name=name, kind="job", metric=jobs.DURATION, labels=labels, error=error, **numbers)


def _times(*factors: Factor) -> Factor:
    def product(story: Story, ts: Array) -> Array:
        return reduce(np.multiply, (factor(story, ts) for factor in factors))

    return product


def _not(factor: Factor) -> Factor:
    return lambda story, ts: 1.0 - factor(story, ts)


def _shop(story: Story, calls: Calls) -> Iterator[Course]:
    route, one = "/products/{number}", ("int",)
    load = function(
        "shop.load_product", "shop", part=0.7, arguments=one, calls=(query("SELECT", "products", part=0.004),)
    )
    hits = calls.come(request("GET", route, 200, pace=2.0, median=0.011, often=_times(visitors, _not(misses))))
    lost = calls.come(request("GET", route, 200, pace=2.0, median=0.032, often=_times(visitors, misses), calls=(load,)))
    unknown = calls.come(request("GET", route, 404, pace=0.02, median=0.004, often=visitors))
    _searches(calls)
    failures = _orders(calls)
    history = query("SELECT", "orders", part=0.9, spread=0.03)
    scan = {"median": 0.012, "spread": 0.25, "slowly": scanned}
    calls.come(request("GET", "/customers/{number}/orders", 200, pace=0.3, often=visitors, calls=(history,), **scan))
    calls.come(request("GET", "/catalogue.csv", 200, pace=0.02, median=0.9, spread=0.2, often=visitors))
    calls.come(Work(name="", kind="", metric=LAG, labels={}, pace=1.0, median=0.0006, spread=0.7))
    for generation, pace, median in (("0", 0.3, 0.0004), ("1", 0.03, 0.0012), ("2", 0.003, 0.02)):
        labels = {"generation": generation}
        calls.come(Work(name="", kind="", metric=PAUSE, labels=labels, pace=pace, median=median, often=visitors))
    yield from calls.courses()
    yield from caches.courses(story, calls, hits, lost + unknown, calls.spent("shop.load_product"))
    yield calls.counter(MESSAGES, {"level": "error", "logger": "shop"}, failures)
    active = np.floor(0.6 * visitors(story, calls.ts) + story.random.random(len(calls.ts)))
    yield calls.gauge(served.ACTIVE, {}, active)


def _searches(calls: Calls) -> None:
    """Before v1.8.0, and since: what was found is ranked, which takes 70 % longer."""
    for often, median, parts in ((_not(ranked), 0.16, (0.9, 0.0)), (ranked, 0.272, (0.53, 0.4))):
        inside = [function("shop.find", "shop", part=parts[0], spread=0.05, arguments=("str(4)",),
                           calls=(query("SELECT", "catalogue", part=0.03),))]  # fmt: skip
        if parts[1]:
            inside.append(function("shop.rank", "shop", part=parts[1], spread=0.05, arguments=("list(20)",)))
        calls.come(request("GET", "/search", 200, pace=0.6, median=median, spread=0.45, often=_times(visitors, often),
                           calls=tuple(inside)))  # fmt: skip


def _orders(calls: Calls) -> Array:
    """Orders that are paid, and those whose payment is refused; how many of the latter in each step (n,)."""
    priced = function("shop.price", "shop", part=0.08, arguments=("int",))
    stored, committed = query("INSERT", "orders", part=0.0015), query("COMMIT", "", part=0.015)
    paid, late = payment(200, part=0.7, spread=0.1), payment(503, part=0.8, spread=0.1)
    numbers = {"pace": 0.4, "median": 0.06}
    calls.come(
        request(
            "POST",
            "/orders",
            201,
            often=_times(visitors, _not(refused)),
            calls=(priced, paid, stored, committed),
            **numbers,
        )
    )
    return calls.come(request("POST", "/orders", 502, often=_times(visitors, refused), calls=(priced, late), **numbers))


def _office(story: Story, calls: Calls) -> Iterator[Course]:
    ts = calls.ts
    table = function("office.totals", "report", part=0.6, calls=(query("SELECT", "orders", part=0.95, spread=0.01),))
    shelf = function("office.stock", "report", part=0.12, calls=(query("SELECT", "products", part=0.3),))
    for name, pace, median, inside in (("overview", 0.1, 0.075, table), ("stock", 0.06, 0.02, shelf)):
        runs = calls.come(page(name, pace=pace, median=median, often=visitors, calls=(inside,)))
        opened = {"page": name}
        calls.come(
            Work(name="", kind="", metric=PAGE, labels=opened, pace=pace / 8, median=2.0 * median, often=visitors)
        )
        yield calls.counter(WIDGETS, {"page": name, "widget": "selectbox"}, np.round(0.7 * runs))
    yield from calls.courses()
    yield calls.gauge(SESSIONS, {}, np.round(3.0 * visitors(story, ts)))


def _jobs(calls: Calls) -> Iterator[Course]:
    ts = calls.ts
    inside = (query("UPDATE", "products", part=0.0004), query("COMMIT", "", part=0.0008))
    report = (query("SELECT", "orders", part=0.001),)
    for name, every, median, asked in ((SYNC, SYNC_EVERY, 1.2, inside), (NIGHTLY, NIGHTLY_EVERY, 48.0, report)):
        late = 0.03 if name == SYNC else 0.0
        done = calls.come(job(name, "success", every=every, share=1.0 - late, median=median, spread=0.15, calls=asked))
        if late:
            calls.come(job(name, "failure", every=every, share=late, median=10.0, spread=0.02))
        yield calls.gauge(jobs.EVERY, {"job": name}, np.full(len(ts), every))
        yield calls.gauge(jobs.GRACE, {"job": name}, np.full(len(ts), max(60.0, every / 24)))
        last = np.maximum.accumulate(np.where(done > 0, ts, 0.0))
        yield calls.gauge(jobs.SUCCESS, {"job": name}, np.where(last > 0, last, ts[0]))
    yield from calls.courses()
