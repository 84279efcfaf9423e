"""The kinds of rules: one module each, and one line here."""

from __future__ import annotations

from collections.abc import Mapping

from perf.alerts.kinds import absence, burn_rate, health_check, threshold
from perf.alerts.kinds.track import Track, Tracks
from perf.model import RuleKind

KINDS: Mapping[RuleKind, Tracks] = {
    RuleKind.THRESHOLD: threshold.tracks,
    RuleKind.ABSENCE: absence.tracks,
    RuleKind.BURN_RATE: burn_rate.tracks,
    RuleKind.HEALTH_CHECK: health_check.tracks,
}

__all__ = ["KINDS", "Track", "Tracks"]
