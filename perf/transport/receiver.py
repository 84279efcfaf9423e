"""``POST /v1/metrics`` and ``/v1/traces``: OTLP over HTTP from any OpenTelemetry program, and from perf in other processes.

An answer of 200 means stored: what it confirms survives a crash.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import re
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TypeAlias, TypeVar

import msgspec
from google.protobuf.message import Message
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from perf.errors import StoreBusy, StoreClosed, StoreError
from perf.model import Batch, Measurement
from perf.ports import Clock
from perf.transport import otlp, spans
from perf.transport.decode import Decoded, Decoder, Known, Limits
from perf.transport.ledger import Ledger
from perf.transport.otlp import Broken, Encoding, TooLarge
from perf.transport.streams import Streams
from perf.transport.traced import Traced

PRODUCER, SEQUENCE = "x-perf-producer", "x-perf-seq"
"""Headers of perf's own batches."""
STORED_WITHIN = 10.0
"""Seconds an answer waits for the store; after that the sender is asked to come again."""
RETRY_AFTER = "1"

Deployed: TypeAlias = Callable[[str, str, float], object]
"""Told of each service, its release, and when it ran last (Unix seconds)."""
Submit: TypeAlias = Callable[[Sequence[Measurement], Batch | None], "Future[None]"]
_M = TypeVar("_M", bound=Message)
_PRODUCER = re.compile(r"[!-~]{1,200}")
_SEQUENCE = re.compile(r"[0-9]{1,18}")
_log = logging.getLogger(__name__)


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """Counts since the start: *requests* taken, repeated ones, measurements, rejected points by reason, spread histograms."""

    requests: int
    repeated: int
    measurements: int
    rejected: dict[str, int]
    inexact: int


class _Refusal(Exception):
    def __init__(self, http: int, code: int, text: str) -> None:
        super().__init__(text)
        self.http, self.code = http, code


class Receiver:
    """Decodes one request at a time (running totals need their order), and answers when the store has it."""

    def __init__(
        self,
        submit: Submit,
        clock: Clock,
        *,
        limits: Limits | None = None,
        ledger: Ledger | None = None,
        deployed: Deployed | None = None,
    ) -> None:
        self._submit = submit
        self._clock = clock
        self._limits = limits or Limits()
        self._ledger = ledger or Ledger()
        self._deployed = deployed
        self._streams = Streams(clock.now())
        self._known = Known(self._limits)
        self._traced = Traced()
        self._decoder = Decoder(self._streams, self._known, self._limits, self._traced)
        self._waiting: dict[Batch, tuple[Future[None], Decoded]] = {}
        self._lock = threading.RLock()
        self._requests = self._repeated = self._measurements = self._inexact = 0
        self._rejected: Counter[str] = Counter()

    def routes(self) -> list[Route]:
        """The two routes, at the root."""
        return [
            Route("/v1/metrics", self.metrics, methods=["POST"]),
            Route("/v1/traces", self.traces, methods=["POST"]),
        ]

    async def metrics(self, request: Request) -> Response:
        """The answer to measurements."""
        return await self._answer(request, ExportMetricsServiceRequest(), self._decoder.metrics)

    async def traces(self, request: Request) -> Response:
        """The answer to spans."""
        return await self._answer(request, ExportTraceServiceRequest(), self._durations)

    def tally(self) -> Tally:
        """What came so far."""
        with self._lock:
            return Tally(
                requests=self._requests,
                repeated=self._repeated,
                measurements=self._measurements,
                rejected=dict(self._rejected),
                inexact=self._inexact,
            )

    async def _answer(self, request: Request, message: _M, decode: Callable[[_M, float], Decoded]) -> Response:
        form = otlp.encoding(request.headers.get("content-type", ""))
        try:
            if form is None:
                raise _Refusal(415, otlp.INVALID, f"send {' or '.join(Encoding)}")
            body = await _body(request)
            batch = _batch(request)
            stored, decoded = await run_in_threadpool(self._taken, body, (form, message), decode, batch)
            if stored is not None:
                await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(stored)), STORED_WITHIN)
        except _Refusal as refusal:
            return _refused(refusal, form or Encoding.JSON)
        except (StoreBusy, StoreClosed, TimeoutError) as error:
            text = str(error) or "the store is slow"
            return _refused(_Refusal(503, otlp.UNAVAILABLE, text), form or Encoding.JSON)
        except StoreError as error:
            return _refused(_Refusal(500, otlp.INTERNAL, str(error)), form or Encoding.JSON)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception:  # noqa: BLE001 - a request handler.
            _log.exception("%s failed", request.url.path)
            return _refused(_Refusal(500, otlp.INTERNAL, "an unexpected error; the log has it"), form or Encoding.JSON)
        return _success(decoded, message, form)

    def _taken(
        self, body: bytes, wire: tuple[Encoding, _M], decode: Callable[[_M, float], Decoded], batch: Batch | None
    ) -> tuple[Future[None] | None, Decoded]:
        """What the store has been asked to keep, and what was in the request. Raises: _Refusal, StoreBusy, StoreClosed."""
        form, message = wire
        try:
            otlp.parsed(body, form, message)
        except Broken as error:
            raise _Refusal(400, otlp.INVALID, str(error)) from error
        with self._lock:
            self._requests += 1
            if batch is not None and (batch in self._waiting or self._ledger.seen(*batch)):
                self._repeated += 1
                return self._waiting.get(batch, (None, Decoded()))
            now = self._clock.now()
            try:
                decoded = decode(message, now)
                stored = self._submit(decoded.measurements, batch) if decoded.measurements or batch else None
            except BaseException:
                self._streams.discard()
                raise
            undo = self._streams.keep(now)
            self._count(decoded)
            if batch is not None and stored is not None:
                self._waiting[batch] = (stored, decoded)
        if stored is not None:
            stored.add_done_callback(functools.partial(self._settled, batch, undo))
        return stored, decoded

    def _settled(self, batch: Batch | None, undo: Callable[[], None], stored: Future[None]) -> None:
        """Runs on the writing thread."""
        with self._lock:
            if stored.cancelled() or stored.exception() is not None:
                undo()  # The sender comes again with it.
            elif batch is not None:
                self._ledger.remember(*batch)
            if batch is not None:
                self._waiting.pop(batch, None)

    def _durations(self, message: ExportTraceServiceRequest, now: float) -> Decoded:
        return spans.durations(message, self._known, self._limits, self._traced.metered, now)

    def _count(self, decoded: Decoded) -> None:
        self._measurements += len(decoded.measurements)
        self._inexact += decoded.inexact
        self._rejected.update(decoded.rejected)
        self._traced.keep(decoded.counted, decoded.metered)
        if self._deployed is not None:
            for (service, release), ts in decoded.releases.items():
                self._deployed(service, release, ts)


async def _body(request: Request) -> bytes:
    """The body, unpacked. Raises: _Refusal."""
    packed = request.headers.get("content-encoding", "identity").strip().lower()
    if packed not in ("gzip", "identity", ""):
        raise _Refusal(415, otlp.INVALID, f"content-encoding {packed[:40]!r}; known: gzip, identity")
    limit = otlp.LARGEST_COMPRESSED if packed == "gzip" else otlp.LARGEST
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise _Refusal(413, otlp.EXHAUSTED, f"at most {limit:,} bytes")
    if packed != "gzip":
        return bytes(body)
    try:
        return await run_in_threadpool(otlp.unpacked, bytes(body))
    except TooLarge as error:
        raise _Refusal(413, otlp.EXHAUSTED, str(error)) from error
    except Broken as error:
        raise _Refusal(400, otlp.INVALID, str(error)) from error


def _batch(request: Request) -> Batch | None:
    """Producer and number of one of our own batches. Raises: _Refusal."""
    producer, seq = request.headers.get(PRODUCER), request.headers.get(SEQUENCE)
    if producer is None and seq is None:
        return None
    if not _PRODUCER.fullmatch(producer or "") or not _SEQUENCE.fullmatch(seq or ""):
        raise _Refusal(400, otlp.INVALID, f"{PRODUCER} and {SEQUENCE} are a name and a whole number")
    return str(producer), int(str(seq))


def _success(decoded: Decoded, message: Message, form: Encoding) -> Response:
    rejected = sum(decoded.rejected.values())
    reasons = "; ".join(f"{n} x {reason}" for reason, n in decoded.rejected.most_common(5))
    answer: Message
    if isinstance(message, ExportTraceServiceRequest):
        answer = ExportTraceServiceResponse()
        if rejected:
            answer.partial_success.rejected_spans = rejected
            answer.partial_success.error_message = reasons
    else:
        answer = ExportMetricsServiceResponse()
        if rejected:
            answer.partial_success.rejected_data_points = rejected
            answer.partial_success.error_message = reasons
    return Response(otlp.written(answer, form), headers={"content-type": form.value})


def _refused(refusal: _Refusal, form: Encoding) -> Response:
    headers = {"content-type": form.value}
    if refusal.http == 503:
        headers["retry-after"] = RETRY_AFTER
    return Response(otlp.status(refusal.code, str(refusal), form), refusal.http, headers=headers)
