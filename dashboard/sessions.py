"""The sessions of this dashboard: an open tab keeps one, with the state of its widgets, until nobody has used it for long."""

from __future__ import annotations

from functools import cache

from perf import default
from perf.instrument.sessions import Watch


@cache
def known() -> Watch:
    """Those of this process."""
    runtime = default.get()
    return Watch(runtime.clock, runtime.settings.production.session_max_age)
