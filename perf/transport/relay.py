"""``/v1/metrics`` and ``/v1/traces`` of a process without a store: what comes goes on to the owner as it is, and so does its answer.

The owner decodes: what running totals mean depends on what all processes sent before.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from perf.errors import StoreError
from perf.transport import otlp
from perf.transport.receiver import PRODUCER, RETRY_AFTER, SEQUENCE

_TAKEN = ("content-type", "content-encoding", PRODUCER, SEQUENCE)
_GIVEN = ("content-type", "retry-after")

Forward = Callable[[str, bytes, dict[str, str]], tuple[int, dict[str, str], bytes]]
"""Path, body and headers -> status, headers and body of the owner's answer. Raises: StoreError when there is none."""


class Relay:
    """Passes requests on, and keeps nothing: a sender whose batch is not confirmed comes again."""

    def __init__(self, forward: Forward) -> None:
        self._forward = forward

    async def metrics(self, request: Request) -> Response:
        """Pass an ExportMetricsServiceRequest on."""
        return await self._pass(request)

    async def traces(self, request: Request) -> Response:
        """Pass an ExportTraceServiceRequest on."""
        return await self._pass(request)

    async def _pass(self, request: Request) -> Response:
        headers = {name: request.headers[name] for name in _TAKEN if name in request.headers}
        form = otlp.encoding(headers.get("content-type", "")) or otlp.Encoding.JSON
        body = bytearray()
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > otlp.LARGEST:
                    text = otlp.status(otlp.EXHAUSTED, f"at most {otlp.LARGEST:,} bytes", form)
                    return Response(text, 413, media_type=form.value)
            status, said, content = await run_in_threadpool(self._forward, request.url.path, bytes(body), headers)
        except ClientDisconnect:
            return Response(status_code=400)
        except StoreError as error:
            text = otlp.status(otlp.UNAVAILABLE, str(error), form)
            return Response(text, 503, media_type=form.value, headers={"retry-after": RETRY_AFTER})
        return Response(content, status, headers={name: said[name] for name in _GIVEN if name in said})
