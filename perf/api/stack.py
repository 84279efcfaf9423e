"""The middleware of perf as a service, for every server of it: turns, request ids, endless answers, load that is shed."""

from __future__ import annotations

import logging

from starlette.middleware import Middleware

from perf.api.endless import EndlessAnswers
from perf.api.requests import RequestIds
from perf.api.shedding import Shedding
from perf.api.turns import Turns
from perf.runtime import Runtime


def stack(runtime: Runtime) -> list[Middleware]:
    """Outermost first; what checks hosts and who asks comes after it."""
    settings = runtime.settings.production
    return [
        Middleware(Turns),
        Middleware(RequestIds, level=logging.INFO if settings.access_log else logging.DEBUG, debug=settings.debug),
        Middleware(EndlessAnswers, streams=runtime.streams),
        Middleware(Shedding, limits=runtime.limits),
    ]
