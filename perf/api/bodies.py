"""Bodies of requests, read strictly: JSON only, bounded, of one type."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from starlette.requests import Request

from perf.api.problem import ApiError

LARGEST = 10_000
"""Bytes of a request."""
_T = TypeVar("_T")


async def decoded(request: Request, kind: type[_T], what: str) -> _T:
    """The body as a *kind*. Raises: ApiError when it isn't *what*."""
    # A page elsewhere can make a browser send a form or plain text here, but not this type.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise ApiError(415, "send application/json")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            raise ApiError(413, f"a request has at most {LARGEST:,} bytes")
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ApiError(400, f"the body is not {what}: {error}") from error
