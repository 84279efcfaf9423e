"""Does an HTTP server answer: with which status, how soon, and with the text that it should?"""

from __future__ import annotations

import http.client
import ssl
from time import perf_counter
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

import msgspec

from perf.errors import SettingsError
from perf.health.findings import Findings, failed
from perf.health.options import ProbeOptions
from perf.health.surroundings import Surroundings
from perf.model import ProbeResult, Status
from perf.settingtree import Seconds, says

LARGEST = 2**20
"""Bytes of an answer that are looked at."""
_PIECE = 64 * 1024


class HttpOptions(ProbeOptions, frozen=True, kw_only=True):
    """Where to ask, and what should come back. Redirects aren't followed: they are an answer."""

    url: Annotated[str, says("http:// or https://")]
    method: Annotated[str, msgspec.Meta(pattern="^[A-Z]+$"), says("such as GET or HEAD")] = "GET"
    status: Annotated[tuple[int, ...], says("what it may answer; empty: anything below 400")] = ()
    text: Annotated[str, says("what the answer must hold, within its first MiB")] = ""
    slow: Annotated[Seconds, says("degraded when it takes longer")] | None = None
    headers: Annotated[dict[str, str], says("sent with the request")] = msgspec.field(default_factory=dict)
    ca_file: Annotated[str, says("certificates to trust instead of the system's")] = ""


class HttpProbe:
    """One request, as a client makes it."""

    Options = HttpOptions

    def __init__(self, options: HttpOptions, around: Surroundings) -> None:
        """Raises: SettingsError for an address that is none, or certificates that can't be read."""
        self._options, self._around = options, around
        self._parts = _address(options.url)
        self._context = _trust(options.ca_file) if self._parts.scheme == "https" else None

    def check(self) -> ProbeResult:
        """Unhealthy without an answer, with another status, or without the text; degraded when it is slow."""
        began = perf_counter()
        try:
            status, body = self._ask(began + self._around.timeout)
        except (OSError, http.client.HTTPException) as error:
            return failed(Status.UNHEALTHY, f"{self._parts.netloc}: {_words(error)}", self._around.clock)
        seconds = perf_counter() - began
        wanted, found = self._options, Findings()
        found.evidence |= {"status": float(status), "seconds": seconds, "bytes": float(len(body))}
        if status not in wanted.status if wanted.status else status >= 400:
            expected = ", ".join(map(str, wanted.status)) or "below 400"
            found.add(Status.UNHEALTHY, f"answered {status} (expected {expected})")
        elif wanted.text and wanted.text.encode() not in body:
            found.add(Status.UNHEALTHY, f"the answer lacks {wanted.text!r}")
        found.slow(seconds, wanted.slow)
        return found.result(f"answered {status} in {1e3 * seconds:.0f} ms", self._around.clock)

    def _ask(self, deadline: float) -> tuple[int, bytes]:
        parts, timeout = self._parts, self._around.timeout
        connection = (
            http.client.HTTPConnection(parts.netloc, timeout=timeout)
            if self._context is None
            else http.client.HTTPSConnection(parts.netloc, timeout=timeout, context=self._context)
        )
        try:
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            headers = {"User-Agent": "perf-health", "Connection": "close", **self._options.headers}
            connection.request(self._options.method, path, headers=headers)
            response = connection.getresponse()
            body = b""
            while len(body) < LARGEST and (piece := response.read1(_PIECE)):
                body += piece
                if perf_counter() > deadline:
                    raise TimeoutError(f"the answer did not end within {timeout:g} s")
            return response.status, body
        finally:
            connection.close()


def _address(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        valid = None
    if not valid:
        raise SettingsError("url: an address begins with http:// or https:// and has a host")
    if parts.username is not None:
        raise SettingsError("url: an address holds no account; send it in headers")
    return parts


def _trust(ca_file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:
        raise SettingsError(f"ca_file: {ca_file}: {error.strerror or error}") from error


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    return str(error) or type(error).__name__
