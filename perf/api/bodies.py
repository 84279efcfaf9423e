"""Bodies of requests that write something, read strictly: JSON only, bounded, of one type."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from perf.api.problem import ApiError
from perf.decoding import from_json

LARGEST = 10_000
"""Bytes of a request."""
_BODY = "perf.body"
_T = TypeVar("_T")


async def decoded(request: Request, kind: type[_T], what: str, *, largest: int = LARGEST) -> _T:
    """The body as *kind*, at most *largest* bytes; *what* it should be, for the error.

    A page elsewhere can make a browser send a form or plain text here, but not JSON: that is asked for first.
    Raises: ApiError.
    """
    is_json(request)
    body = await content(request, largest)
    try:
        return from_json(body, kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(400, f"the body is not {what}: {error}") from error


def is_json(request: Request) -> None:
    """Raises: ApiError 415 for a body that says it is something else."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise ApiError(415, "send application/json")


async def content(request: Request, largest: int) -> bytes:
    """The body, at most *largest* bytes; may be asked for again. Raises: ApiError."""
    read: bytes | None = request.scope.get(_BODY)
    if read is None:
        pieces = bytearray()
        async for chunk in request.stream():
            pieces += chunk
            if len(pieces) > largest:
                break
        request.scope[_BODY] = read = bytes(pieces)
    if len(read) > largest:
        raise ApiError(413, f"a request has at most {largest:,} bytes")
    return read


def answered(content: object, status: int = 200) -> Response:
    """*content* as JSON that nobody keeps."""
    encoded = msgspec.json.encode(content)
    return Response(encoded, status, media_type="application/json", headers={"cache-control": "no-store"})
