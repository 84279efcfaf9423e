"""The owner of a store over HTTP."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import TypeAlias, TypeVar

import msgspec

from perf.cli.questions import ExportRequest
from perf.errors import OwnerError, QueryError
from perf.model import SqlResult, Status

TIMEOUT = 30.0
"""Seconds without a byte after which an answer is given up."""

_PIECE = 64 * 1024
# A proxy of the environment must not see the token, and can't reach a loopback address anyway.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_Response: TypeAlias = http.client.HTTPResponse | urllib.error.HTTPError
_T = TypeVar("_T")


class Check(msgspec.Struct, frozen=True):
    """One probe in the answer of ``/health``."""

    status: Status
    message: str
    seconds: float = 0.0
    evidence: dict[str, float] = {}


class HealthAnswer(msgspec.Struct, frozen=True):
    """The answer of ``/health``."""

    status: Status
    message: str
    timestamp: str
    checks: dict[str, Check]


class _Problem(msgspec.Struct, frozen=True):
    """What is read of a problem+json body."""

    detail: str = ""
    query: str = ""
    position: int = 0


def health(url: str, *, timeout: float = 5.0) -> tuple[HealthAnswer, bytes]:
    """The state of the owner at *url*, decoded and as it came.

    Raises: OwnerError when nothing answers in *timeout* seconds, or something that isn't perf.
    """
    request = urllib.request.Request(f"{url}/health")  # noqa: S310  # the scheme is checked when it is opened
    with _opened(request, timeout, refused=(503,)) as response:
        body = _whole(response, url)
    return _decoded(body, HealthAnswer, url), body


def answers(url: str, *, timeout: float = 2.0) -> bool:
    """Whether perf answers at *url*."""
    try:
        health(url, timeout=timeout)
    except OwnerError:
        return False
    return True


def asked(url: str, path: str, kind: type[_T], given: object = None) -> _T:
    """The answer of the owner at *url* to ``GET`` *path*, or to ``POST`` when something is *given*, as *kind*.

    Raises: QueryError, OwnerError.
    """
    content = None if given is None else msgspec.json.encode(given)
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/api/v1/{path}", content, headers)  # noqa: S310  # as above
    with _opened(request, TIMEOUT) as response:
        return _decoded(_whole(response, url), kind, url)


def text(url: str, path: str) -> str:
    """The answer of the owner at *url* to ``GET`` *path* as it is. Raises: QueryError, OwnerError."""
    request = urllib.request.Request(f"{url}/api/v1/{path}")  # noqa: S310  # as above
    with _opened(request, TIMEOUT) as response:
        return _whole(response, url).decode()


class RemoteData:
    """What is stored, asked from the owner at *url*, which knows *token*."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url, token

    def sql(self, text: str, *, max_rows: int) -> SqlResult:
        """The rows of a read-only statement. Raises: QueryError, OwnerError."""
        body = msgspec.json.encode({"sql": text, "max_rows": max_rows})
        with self._ask("/api/v1/sql", body) as response:
            return _decoded(_whole(response, self._url), SqlResult, self._url)

    def export(self, wanted: ExportRequest) -> Iterator[bytes]:
        """The file, in pieces. Raises: QueryError, OwnerError, also when the connection breaks half-way."""
        pairs = [("query", text) for text in wanted.queries]
        pairs += [("from", wanted.start), ("to", wanted.end), ("format", wanted.form), ("zone", wanted.zone)]
        if wanted.raw:
            pairs.append(("raw", "1"))
        elif wanted.step:
            pairs.append(("step", wanted.step))
        with self._ask(f"/api/v1/export?{urllib.parse.urlencode(pairs)}") as response:
            while piece := _read(response, self._url):
                yield piece

    def _ask(self, path: str, body: bytes | None = None) -> _Response:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self._url + path, body, headers)  # noqa: S310  # as above
        return _opened(request, TIMEOUT)


def _opened(request: urllib.request.Request, timeout: float, *, refused: tuple[int, ...] = ()) -> _Response:
    """The answer; a status in *refused* is an answer, too. Raises: QueryError, OwnerError."""
    if request.type not in ("http", "https"):
        raise OwnerError(f"not an HTTP address: {request.full_url}")
    try:
        response: http.client.HTTPResponse = _OPENER.open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code in refused:
            return error
        raise _refusal(request.full_url, error) from error
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise OwnerError(f"no answer from {request.host}: {reason}") from error
    return response


def _refusal(url: str, error: urllib.error.HTTPError) -> QueryError | OwnerError:
    try:
        problem = msgspec.json.decode(error.read(), type=_Problem)
    except (msgspec.DecodeError, OSError, http.client.HTTPException):
        problem = _Problem()
    if error.code == 400 and problem.detail:
        return QueryError(problem.detail, text=problem.query, position=problem.position)
    return OwnerError(problem.detail or f"{url.partition('?')[0]} answered {error.code} {error.reason}")


def _whole(response: _Response, url: str) -> bytes:
    return b"".join(iter(lambda: _read(response, url), b""))


def _read(response: _Response, url: str) -> bytes:
    try:
        piece = response.read(_PIECE)
    except (OSError, http.client.HTTPException) as error:
        raise OwnerError(f"{url} broke off: {error}") from error
    # A body with a length that ends early is no error to http.client when it is read in pieces.
    missing: int | None = getattr(response, "length", None)
    if not piece and missing:
        raise OwnerError(f"{url} broke off: {missing:,} bytes are missing")
    return piece


def _decoded(body: bytes, kind: type[_T], url: str) -> _T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise OwnerError(f"what answers at {url} is not perf: {error}") from error
