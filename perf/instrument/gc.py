"""How long the program stands still while Python collects garbage, and how much it finds. `instrument` switches it on."""

from __future__ import annotations

import gc
from collections.abc import Callable
from time import perf_counter_ns

from perf.model import Kind, Metric
from perf.record import Recorder, current

PAUSE = Metric("python_gc_pause_seconds", Kind.HISTOGRAM, "s", "Time that a garbage collection took.")
COLLECTED = Metric("python_gc_collected_objects_total", Kind.COUNTER, "1", "Objects that collections have freed.")
UNCOLLECTABLE = Metric("python_gc_uncollectable_objects_total", Kind.COUNTER, "1", "Garbage that can't be freed.")
GENERATIONS = 3

_Told = Callable[[str, dict[str, int]], None]


def instrument(*, recorder: Recorder | None = None) -> None:
    """Record every collection from now on. A second call changes nothing."""
    if _installed:
        return
    callback = _watching(recorder or current())
    _installed.append(callback)
    gc.callbacks.append(callback)


def uninstrument() -> None:
    """Record no more collections."""
    while _installed:
        callback = _installed.pop()
        if callback in gc.callbacks:
            gc.callbacks.remove(callback)


def _watching(recorder: Recorder) -> _Told:
    # Made beforehand: what is allocated inside a collection counts towards the next.
    labels = [{"generation": str(number)} for number in range(GENERATIONS)]
    pauses = [recorder.distribution(PAUSE, each).record_ns for each in labels]
    freed = [recorder.counter(COLLECTED, each).add for each in labels]
    stuck = [recorder.counter(UNCOLLECTABLE, each).add for each in labels]
    began = 0

    def told(phase: str, info: dict[str, int]) -> None:
        nonlocal began
        if phase == "start":
            began = perf_counter_ns()
            return
        took = perf_counter_ns() - began
        generation = info["generation"]
        # One number is enough: Python never collects inside a collection. Without a start it began before we looked.
        if not began or generation >= GENERATIONS:
            return
        began = 0
        pauses[generation](took)
        if info["collected"]:
            freed[generation](info["collected"])
        if info["uncollectable"]:
            stuck[generation](info["uncollectable"])

    return told


_installed: list[_Told] = []
