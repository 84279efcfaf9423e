"""Errors as RFC 9457 problem details, for every route that is ours."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from perf.errors import PerfError, QueryError, StoreBusy, StoreClosed, StoreError, StoreFull

Handler = Callable[[Request], Awaitable[Response]]

_STATUS: Mapping[type[PerfError], int] = {
    QueryError: 400,
    StoreFull: 507,
    StoreBusy: 503,
    StoreClosed: 503,
    StoreError: 500,
}
_TITLE = {
    400: "The request can't be understood",
    401: "A token is needed",
    404: "Not found",
    405: "Method not allowed",
    413: "The request is too large",
    415: "Unsupported media type",
    500: "Something failed here",
    503: "Not available now",
    507: "No space left",
}
_log = logging.getLogger(__name__)


class ApiError(PerfError):
    """A request that is refused with an HTTP *status*; *extra* members go into the problem."""

    def __init__(self, status: int, detail: str, **extra: object) -> None:
        super().__init__(detail)
        self.status = status
        self.extra = extra


def response(request: Request, status: int, detail: str, **extra: object) -> Response:
    """A problem+json answer."""
    body = {
        "type": "about:blank",
        "title": _TITLE.get(status, "Error"),
        "status": status,
        "detail": detail,
        "instance": request.url.path,
        **extra,
    }
    return Response(msgspec.json.encode(body), status, media_type="application/problem+json")


def guarded(handler: Handler) -> Handler:
    """*handler* with every error as a problem; an unexpected one is logged with the id that the answer carries."""

    async def wrapped(request: Request) -> Response:
        try:
            return await handler(request)
        except ApiError as error:
            return response(request, error.status, str(error), **error.extra)
        except QueryError as error:
            return response(request, 400, str(error), query=error.text, position=error.position)
        except PerfError as error:
            status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 500)
            return response(request, status, str(error))
        except Exception:  # noqa: BLE001 - a request handler.
            incident = uuid.uuid4().hex[:12]
            _log.exception("request %s: %s %s failed", incident, request.method, request.url.path)
            return response(request, 500, "an unexpected error; the log has it under this id", request_id=incident)

    return wrapped


async def http_error(request: Request, error: Exception) -> Response:
    """Starlette's own refusals (unknown path, wrong method) as problems."""
    status, detail = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, "failed")
    if status == 404:
        detail = f"there is nothing at {request.url.path}"
    elif status == 405:
        detail = f"{request.url.path} does not take {request.method}"
    answer = response(request, status, detail)
    if isinstance(error, HTTPException) and error.headers:
        answer.headers.update(error.headers)
    return answer
