"""``POST /v1/metrics`` and ``/v1/traces``, at the root: OTLP over HTTP."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from perf.api.endpoint import Endpoint
from perf.api.parts import parts
from perf.model.access import Scope
from perf.runtime import Runtime
from perf.transport.otlp import Encoding

_MEDIA = tuple(Encoding)


async def _metrics(_runtime: Runtime, request: Request) -> Response:
    return await parts(request).receiver.metrics(request)


async def _traces(_runtime: Runtime, request: Request) -> Response:
    return await parts(request).receiver.traces(request)


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="//v1/metrics",
        answer=_metrics,
        needs=Scope.INGEST,
        summary="Take over an ExportMetricsServiceRequest of OTLP; answered when it is stored",
        example='{"resourceMetrics": []}',
        takes=_MEDIA,
        media=_MEDIA,
        limited=False,
        strict=False,
        packed=False,
    ),
    Endpoint(
        method="POST",
        path="//v1/traces",
        answer=_traces,
        needs=Scope.INGEST,
        summary="Take over an ExportTraceServiceRequest of OTLP; answered when it is stored",
        example='{"resourceSpans": []}',
        takes=_MEDIA,
        media=_MEDIA,
        limited=False,
        strict=False,
        packed=False,
    ),
)
