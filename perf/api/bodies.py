"""Bodies of requests that write something, read strictly: JSON only, bounded, of one type."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from perf.api.params import Params
from perf.api.problem import ApiError

LARGEST = 10_000
"""Bytes of a request."""
_T = TypeVar("_T")


async def decoded(request: Request, kind: type[_T], what: str, *, largest: int = LARGEST) -> _T:
    """The body as *kind*, at most *largest* bytes; *what* it should be, for the error. No parameters beside it.

    A page elsewhere can make a browser send a form or plain text here, but not JSON: that is asked for first.
    Raises: ApiError.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise ApiError(415, "send application/json")
    Params(request, single=())
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > largest:
            raise ApiError(413, f"a request has at most {largest:,} bytes")
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(400, f"the body is not {what}: {error}") from error


def answered(content: object, status: int = 200) -> Response:
    """*content* as JSON that nobody keeps."""
    encoded = msgspec.json.encode(content)
    return Response(encoded, status, media_type="application/json", headers={"cache-control": "no-store"})
