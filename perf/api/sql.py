"""``POST /api/v1/sql``: one read-only statement, for holders of the owner's token."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Annotated

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from perf.api.bodies import content
from perf.api.endpoint import Endpoint, principal
from perf.api.problem import ApiError
from perf.decoding import from_json
from perf.model import SqlResult
from perf.model.access import LOCAL, Scope
from perf.runtime import Runtime

LARGEST = 100_000


class Statement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The request: *sql*, and how many rows are wanted at most."""

    sql: str
    max_rows: Annotated[int, msgspec.Meta(ge=1, le=LARGEST)] = 10_000


async def _run(runtime: Runtime, request: Request) -> Response:
    authorise(request, runtime.token)
    statement = await _statement(request)
    result = await run_in_threadpool(executed, runtime, statement.sql, statement.max_rows)
    return Response(encoded(result), media_type="application/json", headers={"cache-control": "no-store"})


def executed(runtime: Runtime, text: str, max_rows: int) -> SqlResult:
    """What the read-only statement *text* answers. Raises: QueryError, ApiError 404 for a store without SQL."""
    console: Callable[..., SqlResult] | None = getattr(runtime.store, "sql", None)
    if console is None:
        raise ApiError(404, f"the {runtime.settings.store.backend} store does not speak SQL")
    return console(text, max_rows=max_rows)


def encoded(result: SqlResult) -> bytes:
    """*result* as JSON; what JSON has no form for is text."""
    return msgspec.json.encode(result, enc_hook=str)


def authorise(request: Request, token: str) -> None:
    """Raises: ApiError 401.

    Other users of this machine reach a loopback port, too: who isn't signed in shows that they may read its files.
    """
    if principal(request).via != LOCAL.via:
        return
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    if not secrets.compare_digest(given.encode(), token.encode()):
        raise ApiError(401, "send the owner's token: Authorization: Bearer ... (it stands in the .owner file)")


async def _statement(request: Request) -> Statement:
    body = await content(request, LARGEST)
    try:
        return from_json(body, Statement)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(400, f"the body is not a statement: {error}") from error


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/sql",
        answer=_run,
        needs=Scope.ADMIN,
        summary="One read-only statement; on this machine with the owner's token",
        body=Statement,
        answers=SqlResult,
        example='{"sql": "SELECT count(*) FROM perf.metrics"}',
    ),
)
