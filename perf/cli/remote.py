"""The owner of a store over HTTP, as verbs ask it."""

from __future__ import annotations

import argparse
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from perf.cli.questions import ExportRequest
from perf.clock import SystemClock
from perf.decoding import from_json
from perf.errors import OwnerError
from perf.model import SqlResult, Status
from perf.wire.connections import Dropped
from perf.wire.link import Link, Refused, Terms, as_json

TIMEOUT = 30.0
"""Seconds without a byte after which an answer is given up."""
ONCE = Terms(timeout=TIMEOUT, idle=0)
"""A verb asks once or twice, and ends."""

_T = TypeVar("_T")


class Check(msgspec.Struct, frozen=True):
    """One probe in the answer of ``/health``."""

    status: Status
    message: str
    seconds: float = 0.0
    evidence: dict[str, float] = {}


class HealthAnswer(msgspec.Struct, frozen=True):
    """The answer of ``/health``; without details for those who may not read."""

    status: Status
    timestamp: str
    message: str = ""
    checks: dict[str, Check] = {}


class _Alive(msgspec.Struct, frozen=True):
    """The answer of ``/health/live``."""

    alive: bool
    timestamp: str


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that name an owner."""
    parser.add_argument("--url", metavar="URL", help="ask the monitor there (default: the owner of the store)")
    parser.add_argument("--token-file", metavar="FILE", type=Path, help="file with the token or API key for it")


def token(file: Path | None) -> str:
    """What *file* holds; nothing without one. Raises: OwnerError when it can't be read."""
    try:
        return "" if file is None else file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise OwnerError(f"--token-file {file}: {getattr(error, 'strerror', None) or error}") from error


def link(url: str, token: str = "", *, terms: Terms | None = None) -> Link:
    """The owner at *url*. Raises: OwnerError for what isn't an HTTP address."""
    return Link(url, SystemClock(), token=token, terms=terms or ONCE)


def health(owner: Link) -> tuple[HealthAnswer, bytes]:
    """The state of *owner*, decoded and as it came.

    Raises: OwnerError when nothing answers, or something that isn't perf.
    """
    body = _state(owner, "/health")
    return _decoded(body, HealthAnswer, owner.url), body


def answers(url: str, *, timeout: float = 5.0) -> bool:
    """Whether perf answers at *url*; what its checks say is not waited for: their first run may take long."""
    asked = link(url, terms=Terms(timeout=timeout, connect=timeout, retries=0, idle=0))
    try:
        _decoded(_state(asked, "/health/live"), _Alive, url)
    except OwnerError:
        return False
    return True


def asked(owner: Link, path: str, kind: type[_T], given: object = None, *, method: str = "") -> _T:
    """The answer of *owner* to ``GET`` *path*, or to ``POST`` (or *method*) when something is *given*, as *kind*.

    Raises: QueryError, OwnerError.
    """
    verb = method or ("GET" if given is None else "POST")
    if verb == "GET":
        return _decoded(owner.ask(verb, f"/api/v1/{path}").body, kind, owner.url)
    body, headers = as_json(given) if given is not None else (b"", {})
    return _decoded(owner.ask(verb, f"/api/v1/{path}", body, headers, safe=False).body, kind, owner.url)


def text(owner: Link, path: str) -> str:
    """The answer of *owner* to ``GET`` *path* as it is. Raises: QueryError, OwnerError."""
    return owner.ask("GET", f"/api/v1/{path}").body.decode()


class RemoteData:
    """What is stored, asked from *owner*."""

    def __init__(self, owner: Link) -> None:
        self._owner = owner

    def sql(self, text: str, *, max_rows: int) -> SqlResult:
        """The rows of a read-only statement. Raises: QueryError, OwnerError."""
        body, headers = as_json({"sql": text, "max_rows": max_rows})
        return _decoded(self._owner.ask("POST", "/api/v1/sql", body, headers).body, SqlResult, self._owner.url)

    def export(self, wanted: ExportRequest) -> Iterator[bytes]:
        """The file, in pieces. Raises: QueryError, OwnerError, also when the connection breaks half-way."""
        pairs = [("query", text) for text in wanted.queries]
        pairs += [("from", wanted.start), ("to", wanted.end), ("format", wanted.form), ("zone", wanted.zone)]
        if wanted.raw:
            pairs.append(("raw", "1"))
        elif wanted.step:
            pairs.append(("step", wanted.step))
        reply = self._owner.opened(f"/api/v1/export?{urllib.parse.urlencode(pairs)}")
        try:
            yield from reply.pieces()
        except Dropped as error:
            raise OwnerError(f"{self._owner.url} broke off: {error}") from error


def _state(owner: Link, path: str) -> bytes:
    """What *owner* says at *path* about itself, well or not. Raises: OwnerError."""
    try:
        return owner.ask("GET", path, safe=False).body
    except Refused as error:
        if error.reply.status != 503:
            raise
        return error.reply.body


def _decoded(body: bytes, kind: type[_T], url: str) -> _T:
    try:
        return from_json(body, kind)
    except msgspec.DecodeError as error:
        raise OwnerError(f"what answers at {url} is not perf: {error}") from error
