"""Many probe results as one verdict: the worst of them, with its reasons."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from perf.model import ProbeResult, Status


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The state of everything at *ts* (Unix seconds): *status* is never UNKNOWN, *sentence* gives the reasons."""

    status: Status
    sentence: str
    results: tuple[ProbeResult, ...]
    ts: float


def verdict(results: Sequence[ProbeResult], ts: float) -> Health:
    """The worst of *results*; what isn't critical degrades only. Unknown makes the whole degraded: a monitor that can't see
    isn't healthy.
    """
    worst = Status.worst([weight(result) for result in results])
    status = Status.DEGRADED if worst is Status.UNKNOWN else worst
    return Health(status=status, sentence=_sentence(results), results=tuple(results), ts=ts)


def weight(result: ProbeResult) -> Status:
    """What *result* means for the whole."""
    return result.status if result.critical or result.status is not Status.UNHEALTHY else Status.DEGRADED


def _sentence(results: Sequence[ProbeResult]) -> str:
    if not results:
        return "There are no probes."
    bad = sorted(
        (r for r in results if r.status is not Status.HEALTHY), key=lambda r: (-weight(r).rank, -r.status.rank)
    )
    if not bad:
        return "All probes are healthy." if len(results) > 1 else "The only probe is healthy."
    return "; ".join(f"{r.name}: {r.message}" for r in bad) + "."
