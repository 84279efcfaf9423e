"""The JSON bodies and HTTP codes of ``/health``, ``/health/ready`` and ``/health/live``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from perf.health.result import Health
from perf.model import Status


def health(found: Health) -> dict[str, object]:
    """Body of ``/health``: status, message, timestamp (ISO 8601, UTC) and one entry a probe."""
    checks = {
        result.name: {
            "status": result.status.value,
            "message": result.message,
            "seconds": round(result.seconds, 6),
            "evidence": dict(result.evidence),
        }
        for result in found.results
    }
    return {
        "status": found.status.value,
        "message": found.sentence,
        "timestamp": _iso(found.ts),
        "checks": checks,
    }


def gate(word: str, reasons: Sequence[str], ts: float) -> dict[str, object]:
    """Body of a yes-or-no question: *word* is true when there is no reason against it."""
    return {word: not reasons, "reasons": list(reasons), "timestamp": _iso(ts)}


def bare(body: dict[str, object]) -> dict[str, object]:
    """What anybody may know of a *body* made here: the state, and when it was found."""
    return {key: value for key, value in body.items() if key in ("status", "ready", "alive", "timestamp")}


def verdict_code(found: Health) -> int:
    """200 or 503: a degraded process still serves, an unhealthy one should get no traffic."""
    return 503 if found.status is Status.UNHEALTHY else 200


def http_code(body: dict[str, object]) -> int:
    """200 or 503 for a body made here: a degraded process still serves, an unhealthy one should get no traffic."""
    if "status" in body:
        return 503 if body["status"] == Status.UNHEALTHY.value else 200
    return 200 if all(body[word] for word in ("ready", "alive") if word in body) else 503


def _iso(ts: float) -> str:
    return datetime.fromtimestamp(ts, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
