"""Requests that may come twice: the answer to a key is kept, so that a repeated request makes nothing a second time.

https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable

import msgspec
from starlette.responses import Response

from perf.api.problem import ApiError
from perf.ports import Clock

HEADER = "idempotency-key"
REPEAT = "perf.repeat"
"""Key of the ASGI scope of the name that a request has in common with its repeats."""
KEPT = 86_400.0
"""Seconds that an answer is kept."""
MOST = 10_000
"""Answers that are kept at most; the oldest goes first."""
_KEY = re.compile(r'"?[\x21\x23-\x7e]{1,200}"?')


def identity(scope: str, key: str, body: bytes) -> str:
    """What a request is called, by all processes and after every restart: 24 characters."""
    return hashlib.sha256(b"\n".join((scope.encode(), key.strip('"').encode(), body))).hexdigest()[:24]


class _Kept(msgspec.Struct, frozen=True):
    body: str
    since: float
    answer: Response | None


class Repeats:
    """Answers by key. Used by one event loop, which is why no lock is needed between a look and a note."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._running: dict[str, _Kept] = {}

    async def once(self, scope: str, key: str, body: bytes, act: Callable[[], Awaitable[Response]]) -> Response:
        """What *act* answers, or answered to *key* before; *scope* keeps clients and resources apart.

        Only success is kept: after a refusal or a failure the same key may be tried again.
        Raises: ApiError 400 for a key that is none, 409 while it is being answered, 422 when it came with another body.
        """
        if not _KEY.fullmatch(key):
            raise ApiError(400, "an Idempotency-Key has 1 to 200 visible ASCII characters")
        name, digest = f"{scope}\n{key.strip(chr(34))}", hashlib.sha256(body).hexdigest()
        self._expire()
        found = self._running.get(name) or self._kept.get(name)
        if found is not None:
            return _again(found, digest)
        self._running[name] = _Kept(digest, self._clock.monotonic(), None)
        try:
            answer = await act()
        finally:
            del self._running[name]
        self._kept[name] = _Kept(digest, self._clock.monotonic(), answer)
        return answer

    def _expire(self) -> None:
        """Forget what is too old, or too much."""
        horizon = self._clock.monotonic() - KEPT
        while self._kept:
            name, oldest = next(iter(self._kept.items()))
            if oldest.since > horizon and len(self._kept) < MOST:
                return
            del self._kept[name]


def _again(found: _Kept, digest: str) -> Response:
    if found.body != digest:
        raise ApiError(422, "this Idempotency-Key came with another body before")
    if found.answer is None:
        raise ApiError(409, "the request with this Idempotency-Key is being answered", headers={"retry-after": "1"})
    copy = Response(found.answer.body, found.answer.status_code)
    copy.raw_headers = [(name, value) for name, value in found.answer.raw_headers if not name.startswith(b"ratelimit")]
    copy.headers["idempotency-replayed"] = "true"
    return copy
