"""What the shop's cache of products told in the story: the series that `perf.cache` records when the shop runs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from examples.demo.course import Course
from examples.demo.story import HOUR, MINUTE, Story
from examples.demo.work import Calls
from perf.cache import metrics
from perf.model import Array

PRODUCTS = "products"
LOADER = "examples.fastapi_shop.shop.load_product"
BOUND = 512 * 2**10
"""Bytes: nine of ten products."""

_ROOM, _SIZE = 449, 1_168
"""Products that fit, and the bytes of one."""
_WHAT_IF = {0.25: 0.24, 0.5: 0.46, 1.0: 0.88, 2.0: 0.97, 4.0: 0.97, 8.0: 0.97}
"""Multiple of the bound -> hit ratio now: beyond 500 products more memory brings nothing."""


def courses(story: Story, calls: Calls, hits: Array, misses: Array, seconds: Array) -> Iterator[Course]:
    """*hits* and *misses* (n,) in each step, and what the loads of each step took in *seconds* (n,)."""
    cache, memory = {"cache": PRODUCTS}, {"cache": PRODUCTS, "tier": "memory"}
    loader = {"cache": PRODUCTS, "function": LOADER}
    # While entries lived for five minutes they were replaced in their place; now they leave for want of room.
    evicted = misses * np.where(calls.ts < story.cached, 0.1, 0.97)
    told = (
        (metrics.REQUESTS, {**memory, "result": "hit"}, hits),
        (metrics.REQUESTS, {**cache, "result": "miss", "tier": "load"}, misses),
        (metrics.FUNCTION, {**loader, "result": "hit"}, hits),
        (metrics.FUNCTION, {**loader, "result": "miss"}, misses),
        (metrics.LOADS, loader, misses),
        (metrics.LOAD_SECONDS, loader, seconds),
        (metrics.SAVED, loader, hits * seconds.sum() / misses.sum()),
        (metrics.EVICTIONS, {**memory, "reason": "size"}, np.round(evicted)),
    )
    for metric, labels, amounts in told:
        yield calls.counter(metric, labels, amounts)
    held = entries(story, calls.ts)
    steady = np.ones(len(calls.ts))
    for metric, labels, values in (
        (metrics.ENTRIES, memory, held),
        (metrics.BYTES, memory, held * _SIZE),
        (metrics.BOUND, memory, steady * BOUND),
        (metrics.BREAKER, memory, 0.0 * steady),
        (metrics.QUEUE, cache, 0.0 * steady),
    ):
        yield calls.gauge(metric, labels, values)
    asked = hits + misses
    some = asked > 0
    yield calls.gauge(metrics.HIT, cache, 100.0 * hits[some] / asked[some], where=some)
    recent = calls.ts >= story.now - HOUR
    for scale, ratio in _WHAT_IF.items():
        yield calls.gauge(metrics.WHAT_IF, {**cache, "scale": f"{scale:g}"}, np.full(recent.sum(), ratio), where=recent)


def entries(story: Story, ts: Array) -> Array:
    """Products held at *ts* (n,): all that fit, but for the minutes after a start."""
    started = [
        begin for begin in (story.start, story.outage[1], story.cached, story.restart[1]) if begin >= story.start
    ]
    age = np.min([np.where(ts >= begin, ts - begin, np.inf) for begin in started], axis=0)
    filled: Array = np.floor(_ROOM * -np.expm1(-age / (6 * MINUTE)))
    return filled
