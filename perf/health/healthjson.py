"""The answer of ``/health`` as draft-inadarei-api-health-check-06 has it (``application/health+json``)."""

from __future__ import annotations

from datetime import UTC, datetime

from perf.health.result import Health
from perf.model import ProbeResult, Status

MEDIA_TYPE = "application/health+json"
_WORDS = {Status.HEALTHY: "pass", Status.UNKNOWN: "warn", Status.DEGRADED: "warn", Status.UNHEALTHY: "fail"}


def body(found: Health, version: str) -> dict[str, object]:
    """Status, version, reasons in ``output``, and each probe's time and evidence under ``checks``."""
    checks: dict[str, list[dict[str, object]]] = {}
    for result in found.results:
        common = _common(result)
        timed = {"observedValue": round(result.seconds, 6), "observedUnit": "s"}
        checks[f"{result.name}:responseTime"] = [{**common, **timed}]
        for name, value in result.evidence.items():
            checks.setdefault(f"{result.name}:{name}", []).append({**common, "observedValue": value})
    answer: dict[str, object] = {
        "status": _WORDS[found.status],
        "version": version.partition(".")[0],
        "releaseId": version,
        "serviceId": "perf",
        "description": "health of perf and of what it watches",
        "checks": checks,
    }
    return answer if found.status is Status.HEALTHY else answer | {"output": found.sentence}


def bare(found: Health) -> dict[str, object]:
    """What anybody may know."""
    return {"status": _WORDS[found.status]}


def wanted(accept: str) -> bool:
    """Whether the header *accept* asks for this format by name, and not for plain JSON rather."""
    weights: dict[str, float] = {}
    for part in accept.lower().split(","):
        media, *parameters = (piece.strip() for piece in part.split(";"))
        quality = next((one[2:] for one in parameters if one.startswith("q=")), "1")
        try:
            weights[media] = float(quality)
        except ValueError:
            weights[media] = 0.0
    ours = weights.get(MEDIA_TYPE, 0.0)
    return ours > 0 and ours >= weights.get("application/json", 0.0)


def _common(result: ProbeResult) -> dict[str, object]:
    found: dict[str, object] = {
        "componentId": result.name,
        "componentType": "component",
        "status": _WORDS[result.status],
        "time": datetime.fromtimestamp(result.ts, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    return found if result.status is Status.HEALTHY else found | {"output": result.message}
