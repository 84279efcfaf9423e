"""What a recorder knows of requests, for the tests of the adapters."""

from __future__ import annotations

from perf.model import Histogram
from perf.record import Recorder

SERVED = "http_server_request_duration_seconds"
SENT = "http_client_request_duration_seconds"


def seen(recorder: Recorder, metric: str = SERVED) -> dict[tuple[str, ...], int]:
    """Values of the labels, in the order of the labels' names -> requests."""
    return {
        tuple(value for _, value in labels): found.count
        for known, labels, found in recorder.totals()
        if known.name == metric and isinstance(found, Histogram)
    }


def numbers(recorder: Recorder, metric: str) -> dict[tuple[str, ...], float]:
    """Values of the labels -> the counter or gauge *metric*."""
    return {
        tuple(value for _, value in labels): value
        for known, labels, value in recorder.totals()
        if known.name == metric and isinstance(value, float | int)
    }


def longest(recorder: Recorder, metric: str = SERVED) -> float:
    """Seconds of the longest request."""
    return max(
        found.high for known, _, found in recorder.totals() if known.name == metric and isinstance(found, Histogram)
    )
