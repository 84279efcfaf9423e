"""One HTTP connection to where batches go, and what its answers mean for a batch."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import socket
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from urllib.parse import unquote, urlsplit

import msgspec

TIMEOUT = 5.0
PATH = "/v1/metrics"
_AGAIN = frozenset({408, 429})
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)=([\t -~]*)")


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a batch: *retry* it (not before *after* seconds, if the receiver said so), or it is dealt with.

    *reason* says why it wasn't taken; empty when it was. *rejected* points of it were refused.
    """

    retry: bool = False
    after: float | None = None
    reason: str = ""
    rejected: int = 0


def headers(text: str) -> dict[str, str]:
    """``name=value,...`` as OpenTelemetry writes it, values percent-encoded. Raises: ValueError."""
    found = {}
    for pair in filter(None, (each.strip() for each in text.split(","))):
        match = _HEADER.fullmatch(unquote(pair))
        if match is None:
            raise ValueError("headers are written name=value,...")  # Not the text: it may hold a secret.
        found[match[1].lower()] = match[2].strip()
    return found


class Endpoint:
    """Where to send; keeps its connection open. For one thread, but for `interrupt`."""

    def __init__(self, url: str, extra: Mapping[str, str] | None = None) -> None:
        """*url* with or without ``/v1/metrics``, *extra* headers. Raises: ValueError for what isn't http(s)."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"not an http address: {url!r}")
        self.timeout = TIMEOUT
        self._host, self._port, self._scheme = parts.hostname, parts.port, parts.scheme
        self._path = parts.path.rstrip("/").removesuffix(PATH) + PATH
        self._headers = {
            "content-type": "application/x-protobuf",
            "content-encoding": "gzip",
            "user-agent": "perf",
            **(extra or {}),
        }
        self._connection: http.client.HTTPConnection | None = None

    def post(self, body: bytes, producer: str, seq: int) -> Answer:
        """Send gzip *body* as batch *seq* of *producer*. Never raises what a network can do."""
        headers = {**self._headers, "x-perf-producer": producer, "x-perf-seq": str(seq)}
        reused = self._connection is not None
        try:
            return self._exchange(body, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if not reused:
                return Answer(retry=True, reason=f"{type(error).__name__}: {error}")
        # A connection that rested may have been closed by the other side; a new one tells.
        try:
            return self._exchange(body, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return Answer(retry=True, reason=f"{type(error).__name__}: {error}")

    def interrupt(self, timeout: float) -> None:
        """From another thread: end the wait for an answer, and wait no longer than *timeout* seconds for any other."""
        self.timeout = timeout
        connection = self._connection  # Its own thread may let go of it at any moment.
        sock = connection.sock if connection is not None else None
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the connection; the next batch opens one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def forget(self) -> None:
        """In a forked child: the connection is the parent's."""
        if self._connection is not None and self._connection.sock is not None:
            # This process's copy only: closed as a TLS socket it would say goodbye for both.
            os.close(self._connection.sock.detach())
        self._connection = None

    def _exchange(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        if self._connection is None:
            kind = http.client.HTTPSConnection if self._scheme == "https" else http.client.HTTPConnection
            self._connection = kind(self._host, self._port, timeout=self.timeout)
        elif self._connection.sock is not None:
            self._connection.sock.settimeout(self.timeout)
        self._connection.request("POST", self._path, body, dict(headers))
        response = self._connection.getresponse()
        said = response.read(2**16)
        if not response.isclosed():
            self.close()
        return _meant(response.status, said, response.getheader("retry-after"), response.getheader("date"))


def _meant(status: int, said: bytes, retry_after: str | None, date: str | None) -> Answer:
    if 200 <= status < 300:
        return Answer(rejected=_rejected(said))
    if status >= 500 or status in _AGAIN:
        return Answer(retry=True, after=_seconds(retry_after, date), reason=f"status {status}")
    return Answer(reason=f"refused_{status}")


def _rejected(said: bytes) -> int:
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

    with contextlib.suppress(DecodeError):
        return int(ExportMetricsServiceResponse.FromString(said).partial_success.rejected_data_points)
    return 0


def _seconds(retry_after: str | None, date: str | None) -> float | None:
    """``Retry-After`` as seconds: a number, or a date against the answer's own ``Date``."""
    if not retry_after:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    with contextlib.suppress(ValueError, TypeError):
        return max(0.0, (parsedate_to_datetime(retry_after) - parsedate_to_datetime(date or "")).total_seconds())
    return None
