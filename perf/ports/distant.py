"""What a store can do beside that somebody else owns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from perf.model import (
    Incident,
    RangeQuery,
    Series,
    Threshold,
)


class IncidentDesk(Protocol):
    """Where people look after open incidents: the evaluator, or the way to it."""

    def incidents(self) -> list[Incident]:
        """Those that are open, by time."""

    def acknowledge(self, incident_id: str, by: str) -> Incident:
        """*by* looks after it. Raises: RuleError when it isn't open, StoreError."""

    def resolve(self, incident_id: str, by: str) -> Incident:
        """End it by hand. Raises: as `acknowledge`."""


@runtime_checkable
class Distant(Protocol):
    """What a store can do beside that somebody else owns: there is upkeep done, alerting and sending."""

    @property
    def desk(self) -> IncidentDesk:
        """Where its incidents are looked after."""

    def reads(self, queries: Sequence[RangeQuery]) -> list[list[Series]]:
        """The answers to *queries*, for which a caller waits once. Raises: QueryError, StoreError."""

    def thresholds(self) -> dict[str, Threshold]:
        """Metric -> threshold in force there."""

    def channels(self) -> dict[str, str]:
        """Name of every channel -> why its owner can't use it, or nothing; empty while the owner is away."""

    def forward(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of its owner's answer to *body* at *path*. Raises: StoreAway."""

    def away(self) -> str:
        """Why its owner can't be asked at present; empty when it can."""
