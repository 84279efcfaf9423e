"""Questions to the owner's store, and what its refusals mean here."""

from __future__ import annotations

import uuid
from typing import TypeVar

import msgspec

from perf.decoding import from_json
from perf.errors import (
    OwnerAway,
    OwnerError,
    PerfError,
    QueryError,
    RuleError,
    StoreAway,
    StoreBusy,
    StoreError,
    StoreFull,
)
from perf.ports import Clock
from perf.settings import StoreSettings
from perf.wire import packing
from perf.wire.connections import Reply
from perf.wire.link import Link, Refused, Terms, as_json
from perf.wire.protocol import HEADER, VERSION

PATH = "/api/v1/store/"
_KINDS: dict[str, type[PerfError]] = {
    kind.__name__: kind for kind in (StoreFull, StoreBusy, StoreError, RuleError, QueryError)
}
_T = TypeVar("_T")


class Asking:
    """Asks one owner. Raises from every method: StoreAway when it does not answer, StoreError, QueryError."""

    def __init__(self, settings: StoreSettings, clock: Clock) -> None:
        """Connects at the first question. Raises: StoreError for an address or certificates that can't be used."""
        remote = settings.remote
        terms = Terms(
            timeout=remote.timeout, connect=remote.connect_timeout, retries=remote.retries, ca_file=remote.ca_file
        )
        try:
            self.link = Link(settings.url, clock, token=settings.token, terms=terms)
        except OwnerError as error:
            raise StoreError(f"store.url: {error}") from error

    def found(self, path: str, kind: type[_T], question: object = None) -> _T:
        """What the owner knows, as *kind*."""
        return self._decoded(self.answer(path, question).body, kind)

    def answer(self, path: str, question: object = None) -> Reply:
        """The answer to *question*, or to a ``GET`` without one."""
        body, headers = (None, {}) if question is None else as_json(question)
        return self.sent("GET" if question is None else "POST", path, body, headers)

    def done(self, path: str, change: object, kind: type[_T] | None = None) -> _T | None:
        """Have the owner do *change*: at most once, however often the network fails."""
        body, headers = as_json(change)
        reply = self.sent("POST", path, body, {**headers, "idempotency-key": uuid.uuid4().hex}, safe=False)
        return None if kind is None else self._decoded(reply.body, kind)

    def sent(self, method: str, path: str, body: bytes | None, headers: dict[str, str], *, safe: bool = True) -> Reply:
        """The answer to *body*; both may be compressed on their way between machines."""
        if not self.link.local:
            headers = {**headers, "accept-encoding": packing.ZSTD}
            body, packed = packing.packed(body)
            headers |= {"content-encoding": packing.ZSTD} if packed else {}
        try:
            reply = self.link.ask(method, PATH + path, body, headers, safe=safe)
            self._check(reply)
            if reply.headers.get("content-encoding") == packing.ZSTD:
                reply.body = packing.unpacked(reply.body)
        except packing.Unpackable as error:
            raise self.strange(error) from error
        except Refused as error:
            raise self._meant(error) from error
        except OwnerAway as error:
            raise StoreAway(f"the owner of the store is away: {error}") from error
        except OwnerError as error:
            raise StoreError(str(error)) from error
        return reply

    def relayed(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the answer to *body* at *path*, whatever it is. A resend is its sender's business."""
        try:
            reply = self.link.ask("POST", path, body, headers, safe=False)
        except Refused as error:
            reply = error.reply
        except OwnerAway as error:
            raise StoreAway(f"the owner of the store is away: {error}") from error
        return reply.status, reply.headers, reply.body

    def strange(self, error: Exception) -> StoreError:
        """An answer could not be read."""
        return StoreError(f"what answers at {self.link.url} does not speak like an owner: {error}")

    def _decoded(self, body: bytes, kind: type[_T]) -> _T:
        try:
            return from_json(body, kind)
        except msgspec.DecodeError as error:
            raise self.strange(error) from error

    def _check(self, reply: Reply) -> None:
        spoken = reply.headers.get(HEADER, "")
        if spoken != str(VERSION):
            raise StoreError(incompatible(self.link.url, spoken))

    def _meant(self, refused: Refused) -> PerfError:
        """The error of the owner's store as one of ours."""
        url, status, kind = self.link.url, refused.reply.status, refused.problem.kind
        if status in (401, 403):
            needed = "store.token (PERF_STORE__TOKEN or PERF_STORE__TOKEN_FILE)"
            return StoreError(f"the owner at {url} refuses this process: {refused} Check {needed}.")
        if status == 404 and not kind:
            return StoreError(incompatible(url, ""))
        if status == 503 and kind not in _KINDS:
            return StoreAway(f"the owner of the store at {url} can't answer now: {refused}")
        return _KINDS.get(kind, StoreError)(str(refused))


def incompatible(url: str, spoken: str) -> str:
    """What to do about an owner that speaks another version than this process; none when it names none."""
    if not spoken:
        return (
            f"what answers at {url} is no owner that others can ask: it is older than this perf, "
            f"which speaks version {VERSION} to it, or it is something else"
        )
    newer = spoken.isdecimal() and int(spoken) > VERSION
    who = "this process" if newer else "the owner"
    return f"the owner at {url} speaks version {spoken[:20]!r}, this process version {VERSION}: update {who}"
