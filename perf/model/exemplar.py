"""One slow call, with what tells it apart from the others of its series."""

from __future__ import annotations

import msgspec

from perf.model.metric import Labels, Metric


class Exemplar(msgspec.Struct, frozen=True, kw_only=True):
    """A call of the series *metric* with *labels*: when it ended (Unix seconds), how long it took, and around it.

    *arguments* are types and lengths (``str(12)``) unless values are allowed; *parents* name the callers, the nearest first.
    *trace*, *release* and *error* (the type of the exception) are empty when unknown.
    """

    ts: float
    metric: Metric
    labels: Labels
    seconds: float
    arguments: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    trace: str = ""
    release: str = ""
    error: str = ""
