"""``/api/v1/audit``: who changed what, when and from where, as JSON or CSV."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from perf.api.bodies import answered
from perf.api.endpoint import Endpoint
from perf.api.params import Params, choice, number, text
from perf.model.access import AuditPage, Scope
from perf.runtime import Runtime
from perf.views.audit import as_csv

PAGE = 1_000
LARGEST_FILE = 100_000
"""Entries of a CSV at most."""
_QUERY = ("from", "to", "action", "who", "limit", "offset", "format")


async def _audit(runtime: Runtime, request: Request) -> Response:
    params = Params(request, single=_QUERY)
    window = params.window(runtime.clock)
    file = params.choice("format", {"": "", "json": "json", "csv": "csv"}) or _accepted(request)
    limit = params.number("limit", LARGEST_FILE if file == "csv" else 100, low=1, high=LARGEST_FILE)
    offset = params.number("offset", 0, low=0, high=10**9)

    def entries() -> AuditPage:
        return runtime.access.audit.entries(
            window,
            limit if file == "csv" else min(limit, PAGE),
            offset,
            action=params.text("action"),
            who=params.text("who"),
        )

    found = await run_in_threadpool(entries)
    if file != "csv":
        return answered(found)
    headers = {"cache-control": "no-store", "content-disposition": 'attachment; filename="audit.csv"'}
    return Response(as_csv(found.entries), media_type="text/csv; charset=utf-8", headers=headers)


def _accepted(request: Request) -> str:
    return "csv" if request.headers.get("accept", "").startswith("text/csv") else "json"


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/audit",
        answer=_audit,
        needs=Scope.ADMIN,
        summary="The audit log, the newest entries first",
        query=(
            text("from", "beginning of the range, as in /query"),
            text("to", "its end, not included"),
            text("action", "only actions that begin so: rule, silence, key, sign-in"),
            text("who", "only what this person or key did"),
            number("limit", "entries; JSON has at most 1000", low=1, high=LARGEST_FILE),
            number("offset", "entries to skip", low=0, high=10**9),
            choice("format", "instead of the header Accept", ("json", "csv")),
        ),
        answers=AuditPage,
        media=("application/json", "text/csv"),
        example="?from=now-7d&action=rule",
    ),
)
