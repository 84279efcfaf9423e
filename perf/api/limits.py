"""How often a client may ask: a bucket of tokens for each, told in the headers of the IETF's draft on rate limits.

https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/ (fields ``RateLimit-Policy`` and ``RateLimit``, version 10).
"""

from __future__ import annotations

import math
from collections import OrderedDict

import msgspec

from perf.ports import Clock
from perf.settings.api import ApiSettings

MOST = 10_000
"""Clients that are remembered; then the one that was silent longest begins anew."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What is left for a client: *remaining* requests at once, all of them again in *reset* seconds, *wait* until the next."""

    remaining: int
    reset: int
    wait: int


class Buckets:
    """A bucket of *burst* tokens for each client, refilled with *rate* a second. Used by one thread."""

    def __init__(self, settings: ApiSettings, clock: Clock) -> None:
        self._rate, self._burst = settings.rate, settings.burst
        self._clock = clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> Verdict | None:
        """Count a request of *client*; ``wait`` is zero when it may be answered. None when anything goes."""
        if not self._rate:
            return None
        now = self._clock.monotonic()
        level, since = self._levels.pop(client, (float(self._burst), now))
        level = min(float(self._burst), level + max(0.0, now - since) * self._rate)
        granted = level >= 1.0
        level -= granted
        self._levels[client] = level, now
        if len(self._levels) > MOST:
            self._levels.popitem(last=False)
        return Verdict(
            remaining=math.floor(level),
            reset=math.ceil((self._burst - level) / self._rate),
            wait=0 if granted else max(1, math.ceil((1.0 - level) / self._rate)),
        )

    def headers(self, verdict: Verdict) -> dict[str, str]:
        """The header fields that tell a client of *verdict*."""
        window = max(1, math.ceil(self._burst / self._rate))
        told = {
            "ratelimit-policy": f'"client";q={self._burst};w={window}',
            "ratelimit": f'"client";r={verdict.remaining};t={verdict.reset}',
        }
        return told | {"retry-after": str(verdict.wait)} if verdict.wait else told
