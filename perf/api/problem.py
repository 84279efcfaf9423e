"""Errors as RFC 9457 problem details, for every route that is ours."""

from __future__ import annotations

import logging
import traceback
import uuid
from collections.abc import Awaitable, Callable, Mapping

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from perf import requestid
from perf.alerts.files import RulesError
from perf.alerts.silences import SilenceError
from perf.alerts.templates import TemplateError
from perf.errors import (
    PerfError,
    QueryError,
    RuleError,
    SettingsError,
    StoreAway,
    StoreBusy,
    StoreClosed,
    StoreError,
    StoreFull,
)
from perf.views.rules import RuleChanged, UnknownAlert

Handler = Callable[[Request], Awaitable[Response]]
MEDIA_TYPE = "application/problem+json"

RETRY_AFTER = "1"
"""Seconds after which who was told 503 may come again, where nothing better is known."""
DEBUG = "perf.debug"
"""Key of the ASGI scope: whether answers may show where they failed."""

_STATUS: Mapping[type[PerfError], int] = {
    QueryError: 400,
    RuleError: 400,
    SilenceError: 400,
    TemplateError: 400,
    SettingsError: 400,
    UnknownAlert: 404,
    RuleChanged: 412,
    StoreFull: 507,
    StoreAway: 503,
    StoreBusy: 503,
    StoreClosed: 503,
    StoreError: 500,
}
_TITLE = {
    400: "The request can't be understood",
    401: "A token is needed",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "Not in that form",
    409: "It is there already, or on its way",
    412: "It has changed since",
    413: "The request is too large",
    415: "Unsupported media type",
    421: "Misdirected request",
    422: "The request makes no sense",
    428: "Say which version is meant",
    429: "Too many requests",
    500: "Something failed here",
    503: "Not available now",
    507: "No space left",
}
_log = logging.getLogger(__name__)


class ApiError(PerfError):
    """A request that is refused with an HTTP *status*; *extra* members go into the problem, *headers* beside it."""

    def __init__(self, status: int, detail: str, *, headers: Mapping[str, str] | None = None, **extra: object) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = headers or {}
        self.extra = extra


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An error as RFC 9457 has it; further members may stand beside these."""

    type: str
    title: str
    status: int
    detail: str
    instance: str


def response(request: Request, status: int, detail: str, **extra: object) -> Response:
    """A problem+json answer."""
    body = {
        "type": "about:blank",
        "title": _TITLE.get(status, "Error"),
        "status": status,
        "detail": detail,
        "instance": request.url.path,
        **({"request_id": found} if (found := requestid.current.get()) else {}),
        **extra,
    }
    headers = {"cache-control": "no-store"}
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    if status == 503:
        headers["retry-after"] = RETRY_AFTER
    return Response(msgspec.json.encode(body), status, media_type=MEDIA_TYPE, headers=headers)


def guarded(handler: Handler) -> Handler:
    """*handler* with every error as a problem; an unexpected one is logged with the id that the answer carries."""

    async def wrapped(request: Request) -> Response:
        try:
            return await handler(request)
        except ApiError as error:
            answer = response(request, error.status, str(error), **error.extra)
            answer.headers.update(error.headers)
            return answer
        except RulesError as error:
            return response(request, 400, str(error), problems=error.problems)
        except QueryError as error:
            return response(request, 400, str(error), query=error.text, position=error.position)
        except PerfError as error:
            status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 500)
            return response(request, status, str(error))
        except Exception:  # noqa: BLE001 - a request handler.
            incident = requestid.current.get() or uuid.uuid4().hex
            _log.exception("request %s: %s %s failed", incident, request.method, request.url.path)
            return response(
                request,
                500,
                "an unexpected error; the log has it under this id",
                request_id=incident,
                **_traced(request),
            )

    return wrapped


def _traced(request: Request) -> dict[str, object]:
    """The traceback of the error in hand, where settings ask for it (``production.debug``)."""
    return {"traceback": traceback.format_exc().splitlines()} if request.scope.get(DEBUG) else {}


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
