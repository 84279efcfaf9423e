"""Invented requests of a shop for the screenshots and the demo: five routes, a daily rhythm, and a search that got slower."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np

from perf.model import Array, Histogram, HistogramSample, Kind, Metric

REQUESTS = Metric("http_server_request_duration_seconds", Kind.HISTOGRAM, "s", "Duration of requests.")
CALLS = Metric("function_duration_seconds", Kind.HISTOGRAM, "s", "Duration of calls.")
SLOWER = 2_400.0
"""So many seconds before the end the search got slower."""


class Route(msgspec.Struct, frozen=True):
    """A route: requests per second at noon, median duration in seconds, and the spread of its logarithm."""

    method: str
    path: str
    status: str
    pace: float
    median: float
    spread: float


ROUTES = (
    Route("GET", "/products/{number}", "200", 2.0, 0.012, 0.4),
    Route("GET", "/search", "200", 0.6, 0.16, 0.5),
    Route("POST", "/orders", "201", 0.4, 0.05, 0.3),
    Route("POST", "/orders", "500", 0.01, 0.06, 0.3),
    Route("GET", "/catalogue.csv", "200", 0.02, 0.9, 0.2),
)
FUNCTIONS = (("shop.cart.total", 0.004), ("shop.price.load", 0.02), ("shop.mail.render", 0.009))


def requests(ts: Array, activity: Array, now: float, random: np.random.Generator) -> Iterator[HistogramSample]:
    """What the shop observed in the steps that end at *ts* (n,), with *activity* (n,) between 0 and 1."""
    widths = np.diff(ts, prepend=ts[0] - 10.0).clip(max=60.0)
    for at, width, busy in zip(ts.tolist(), widths.tolist(), activity.tolist(), strict=True):
        for route in ROUTES:
            count = int(random.poisson(route.pace * width * (0.15 + busy)))
            if not count:
                continue
            median = route.median * (1.7 if route.path == "/search" and at > now - SLOWER else 1.0)
            durations = median * np.exp(route.spread * random.standard_normal(count))
            labels = (
                ("http_request_method", route.method),
                ("http_response_status_code", route.status),
                ("http_route", route.path),
            )
            yield HistogramSample(at, REQUESTS, labels, Histogram.of(durations.tolist()))
        for name, middle in FUNCTIONS:
            count = 1 + int(random.poisson(0.5 * width * (0.15 + busy)))
            durations = middle * np.exp(0.6 * random.standard_normal(count))
            labels = (("category", "shop"), ("function", name))
            yield HistogramSample(at, CALLS, labels, Histogram.of(durations.tolist()))
