"""``/api/v1/alerts/deliveries`` and beside it: channels, attempts to deliver, and tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from perf.api import params
from perf.api.alerts import PAGE, until
from perf.api.bodies import answered, decoded
from perf.api.endpoint import Endpoint
from perf.api.pages import Cursor, chunked, paged
from perf.api.params import Params
from perf.model import Delivery
from perf.model.access import Scope
from perf.runtime import Runtime

_Text = Annotated[str, msgspec.Meta(max_length=200)]


class Tested(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A test message for a channel."""

    channel: _Text


class Attempts(msgspec.Struct, frozen=True):
    """What became of a test message; nothing when it still waits."""

    channel: str
    attempts: list[Delivery]


class Deliveries(msgspec.Struct, frozen=True):
    """Attempts, the newest first; *total* of them in the range."""

    total: int
    deliveries: list[Delivery]
    next: str | None


class Channels(msgspec.Struct, frozen=True):
    """Channels that can be reached with the settings in force."""

    channels: list[str]


async def _deliveries(runtime: Runtime, request: Request) -> Response:
    params = Params(request)
    window, limit = params.window(runtime.clock), params.number("limit", 100, low=1, high=PAGE)
    cursor: Cursor[tuple[float, str, int]] = Cursor(request, "deliveries", (float, str, int))

    def rows(after: tuple[float, str, int] | None) -> Iterable[Delivery]:
        reach = window if after is None else until(window, -after[0])
        return chunked(lambda size, offset: tried(reach, size, offset).deliveries, limit + 1)

    tried = runtime.alerts.deliveries
    total = (await run_in_threadpool(tried, window, 1, 0)).total
    page, following = await run_in_threadpool(paged, cursor, rows, _tried, limit)
    return answered(Deliveries(total, page, following))


async def _channels(runtime: Runtime, _request: Request) -> Response:
    return answered(Channels(await run_in_threadpool(runtime.alerts.channels)))


async def _test(runtime: Runtime, request: Request) -> Response:
    tested = await decoded(request, Tested, "a channel")
    found = await run_in_threadpool(runtime.alerts.test, tested.channel)
    runtime.access.audit.note("channel.test", tested.channel)
    return answered(Attempts(tested.channel, found))


def _tried(one: Delivery) -> tuple[float, str, int]:
    """The newest first, and of a moment by notification, its last attempt first."""
    return -one.ts, one.notification_id, -one.attempt


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/alerts/deliveries",
        answer=_deliveries,
        needs=Scope.READ,
        summary="Attempts to deliver, the newest first",
        query=(*params.RANGE, params.limit(PAGE), params.CURSOR),
        answers=Deliveries,
        example="?from=now-1d&limit=2",
    ),
    Endpoint(
        method="GET",
        path="/alerts/channels",
        answer=_channels,
        needs=Scope.READ,
        summary="Channels that can be reached",
        answers=Channels,
    ),
    Endpoint(
        method="POST",
        path="/alerts/test",
        answer=_test,
        needs=Scope.OPERATE,
        summary="Send a test message the whole way; answered with its attempts",
        body=Tested,
        answers=Attempts,
        example='{"channel": "log"}',
    ),
)
