"""The increase of counters over a window, against a count by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf.clock import ManualClock
from perf.model import Kind, Metric, Sample, Window
from perf.settings import StoreSettings
from perf.store.memory import MemoryStore
from perf.views.counters import increases

T0 = 1_700_006_400.0
JOBS = Metric("jobs_total", Kind.COUNTER, "1")


def grown(values: dict[float, float], start: float, end: float) -> float:
    store = MemoryStore(StoreSettings(), ManualClock(T0))
    store.append([Sample(T0 + ts, JOBS, (), value) for ts, value in values.items()])
    ((labels, increase),) = increases(store, "jobs_total", Window(T0 + start, T0 + end))
    assert labels == ()
    return increase


@pytest.mark.parametrize(
    ("values", "increase"),
    [
        ({0: 5, 10: 7, 20: 8}, 3),
        ({-10: 5, 10: 7, 20: 8}, 3),  # from the value before the window on
        ({-10: 5, 10: 5, 20: 5}, 0),
        ({9: 0, 10: 4}, 4),  # new
        ({0: 5, 10: 2, 20: 3}, 3),  # reset
        ({0: 5, 10: 0, 20: 0}, 0),
        ({0: 1, 29.5: 9, 29.6: 0, 29.8: 2}, 10),  # a reset within one step
        ({29.9: 4, 31: 9}, 0),  # only the end, which is outside, grew
        ({-10: 5}, 0),
    ],
)
def test_the_increase_of_half_a_minute(values: dict[float, float], increase: float) -> None:
    assert grown(values, 0, 30) == increase


@given(st.lists(st.integers(0, 9), min_size=1, max_size=200), st.sampled_from([10.0, 3_600.0, 86_400.0, 90 * 86_400.0]))
def test_a_window_around_everything_counts_everything(steps: list[int], length: float) -> None:
    total, values = 0, {0.0: 0.0}
    for number, step in enumerate(steps, 1):
        total += step
        values[number * length / len(steps) * 0.9] = float(total)
    assert grown(values, 0, length) == total
