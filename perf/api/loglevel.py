"""``/api/v1/log-level``: how much is logged, changed for a while without a restart."""

from __future__ import annotations

import logging
from typing import Annotated, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from perf.api.bodies import answered, decoded
from perf.api.endpoint import Endpoint, principal
from perf.api.params import Params
from perf.api.problem import ApiError
from perf.logs import LevelChange
from perf.model.access import Scope
from perf.runtime import Runtime

_CHANGE = LevelChange()
"""Loggers belong to the process, and so does this."""
_log = logging.getLogger(__name__)


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The request: *level* for *seconds* (none: the longest time); without a level the settings' comes back."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] | None = None
    seconds: Annotated[float, msgspec.Meta(gt=0)] | None = None


class InForce(msgspec.Struct, frozen=True, kw_only=True):
    """The answer: the level in force, and whether it was changed at run time."""

    level: str
    changed: bool


async def shown(_: Runtime, request: Request) -> Response:
    """The level in force."""
    Params(request, single=())
    return answered(_in_force())


async def changed(runtime: Runtime, request: Request) -> Response:
    """Change the level for a while, or take a change back."""
    wanted = await decoded(request, Wanted, "a log level")
    longest = runtime.settings.production.log_level_for
    if wanted.seconds is not None and wanted.seconds > longest:
        raise ApiError(400, f"seconds: at most {longest:g} (production.log_level_for), not {wanted.seconds:g}")
    who, before = principal(request).name, _CHANGE.level
    if wanted.level is None:
        _CHANGE.reset()
        _log.warning("log level back to %s, by %s", _CHANGE.level, who)
    else:
        _CHANGE.set(wanted.level, wanted.seconds or longest)
        _log.warning("log level %s for %g s, by %s", wanted.level, wanted.seconds or longest, who)
    runtime.access.audit.note("log-level", before=before, after=_CHANGE.level)
    return answered(_in_force())


def _in_force() -> InForce:
    return InForce(level=_CHANGE.level, changed=_CHANGE.changed)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/log-level",
        answer=shown,
        needs=Scope.READ,
        summary="How much is logged",
        answers=InForce,
    ),
    Endpoint(
        method="PUT",
        path="/log-level",
        answer=changed,
        needs=Scope.ADMIN,
        summary="Log more or less for a while",
        body=Wanted,
        answers=InForce,
        example='{"level": "DEBUG", "seconds": 600}',
    ),
)
