"""A store elsewhere answers whatever its owner does: any question, bit by bit, or the same error."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings

from perf.clock import ManualClock
from perf.errors import QueryError
from perf.model import (
    Across,
    Exemplar,
    Histogram,
    HistogramSample,
    Measurement,
    RangeQuery,
    RowsQuery,
    Sample,
    Selector,
    Window,
)
from perf.ports import MetricStore
from perf.settings import StoreSettings
from tests.contract.test_store_laws import COUNTER, GAUGE, T0, WAITED, pages, queries
from tests.owners import Owner, Owners

Pair = tuple[MetricStore, MetricStore]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """A filled store, and the way to it over HTTP."""
    clock, chance = ManualClock(T0), random.Random(3)
    path = tmp_path_factory.mktemp("laws") / "x.duckdb"
    # Two threads add up numbers in an order that changes from question to question, and with it the last bit of the sum.
    owner = Owner(StoreSettings(path=str(path), seal_every=3600.0, threads=1), clock)
    away = Owners().at(owner.url, clock)
    for _ in range(8):
        away.append([_measured(chance) for _ in range(60)])
        clock.move(3 * 3600)
        away.maintain(clock.now())
    yield owner.runtime.store, away
    away.close()
    owner.close()


def _measured(chance: random.Random) -> Measurement:
    ts = T0 + chance.randint(-3 * 3600, 86_400)
    labels = (("a", chance.choice("xy")), ("b", chance.choice("xy")))
    if chance.random() < 0.2:
        return Exemplar(ts=ts, metric=WAITED, labels=labels, seconds=chance.random(), arguments=("str(3)",), trace="t")
    if chance.random() < 0.3:
        return HistogramSample(ts, WAITED, labels, Histogram.of([chance.random() for _ in range(4)]))
    return Sample(ts, chance.choice([GAUGE, COUNTER]), labels, chance.choice([0.0, -0.0, 1e300, chance.random()]))


def exact(value: object) -> object:
    """Structs as their parts, arrays as type, shape and bytes."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, list):
        return [exact(one) for one in value]
    return [exact(one) for one in msgspec.structs.astuple(value)] if isinstance(value, msgspec.Struct) else value


def answered(ask: Callable[[MetricStore], object], store: MetricStore) -> object:
    try:
        return exact(ask(store))
    except QueryError as error:
        return str(error), error.text, error.position


def agree(pair: Pair, ask: Callable[[MetricStore], object]) -> None:
    own, away = pair
    assert answered(ask, away) == answered(ask, own)


@settings(max_examples=100)
@given(queries())
def test_series(pair: Pair, query: RangeQuery) -> None:
    agree(pair, lambda store: store.read(query))


@settings(max_examples=40)
@given(queries())
def test_distributions(pair: Pair, query: RangeQuery) -> None:
    wide = msgspec.structs.replace(
        query,
        selector=Selector(WAITED.name, query.selector.labels),
        aggregate=None,
        across=Across.MERGE if query.across else None,
    )
    agree(pair, lambda store: store.distributions(wide))
    agree(pair, lambda store: store.distributions(wide, shape=False))


@settings(max_examples=40)
@given(pages)
def test_pages_of_samples(pair: Pair, page: RowsQuery) -> None:
    agree(pair, lambda store: store.rows(page))


def test_everything_else(pair: Pair) -> None:
    ever = Window(0.0, 4e9)
    agree(pair, lambda store: list(store.series()))
    agree(pair, lambda store: store.exemplars(Selector(WAITED.name), ever, 100))
    agree(pair, lambda store: store.exemplars(Selector(WAITED.name), ever, 0))
    agree(pair, lambda store: store.changes())
    agree(pair, lambda store: msgspec.structs.replace(store.usage(), free_bytes=None))
