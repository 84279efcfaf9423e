"""``POST /api/v1/sql``: one read-only statement, for holders of the owner's token."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Annotated

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from perf.api.problem import ApiError, guarded
from perf.model import SqlResult
from perf.runtime import Runtime

LARGEST = 100_000


class Statement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The request: *sql*, and how many rows are wanted at most."""

    sql: str
    max_rows: Annotated[int, msgspec.Meta(ge=1, le=LARGEST)] = 10_000


def routes(runtime: Runtime) -> list[Route]:
    """The route of this file, below ``/api/v1``."""

    async def run(request: Request) -> Response:
        _authorise(request, runtime.token)
        statement = await _statement(request)
        console: Callable[..., SqlResult] | None = getattr(runtime.store, "sql", None)
        if console is None:
            raise ApiError(404, f"the {runtime.settings.store.backend} store does not speak SQL")
        result = await run_in_threadpool(console, statement.sql, max_rows=statement.max_rows)
        body = msgspec.json.encode(result, enc_hook=str)
        return Response(body, media_type="application/json", headers={"cache-control": "no-store"})

    return [Route("/sql", guarded(run), methods=["POST"])]


def _authorise(request: Request, token: str) -> None:
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    if not secrets.compare_digest(given.encode(), token.encode()):
        raise ApiError(401, "send the owner's token: Authorization: Bearer ... (it stands in the .owner file)")


async def _statement(request: Request) -> Statement:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            raise ApiError(413, f"a request has at most {LARGEST:,} bytes")
    try:
        return msgspec.json.decode(body, type=Statement)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ApiError(400, f"the body is not a statement: {error}") from error
