"""The pages' door to health checks, beside `dashboard.data`: cached questions, and a run now."""

from __future__ import annotations

from collections.abc import Sequence

from dashboard import data
from dashboard.kept import forget, kept
from perf.health.score import Score
from perf.model import ProbeResult, Spell, Window
from perf.views import health
from perf.views.health import ProbeState, Uptime

RANGES = {"24 h": (86_400.0, 48), "7 d": (604_800.0, 56), "30 d": (2_592_000.0, 60)}
"""Strip -> its seconds, and its cells."""
MOST_SPELLS = 200


def states() -> list[ProbeState]:
    """Every check, as it stands."""
    return health.states(data.runtime().health)


@kept(60.0)
def uptimes(strip: str) -> Sequence[Uptime]:
    """How long every check was up; *strip* is a key of RANGES."""
    rt = data.runtime()
    seconds, cells = RANGES[strip]
    now = rt.clock.now()
    window, step = health.aligned(seconds, cells, now)
    return health.uptimes(rt.store, list(rt.health.plans), window, step, now)


def said(result: ProbeResult) -> str:
    """What a check said, as a part of a longer sentence."""
    return f"{result.name}: {result.message.removesuffix('.')}"


def history(name: str, window: Window) -> list[Spell]:
    """In which state a check was from when to when, the newest first."""
    return health.history(data.runtime().store, name, window, MOST_SPELLS)


@kept(20.0)
def score() -> Score:
    """How well things go, and what each part cost."""
    rt = data.runtime()
    return health.score(rt.store, rt.settings.health, rt.clock.now())


def run(name: str = "") -> None:
    """Run one check, or all, and wait for it."""
    health.run(data.runtime().health, name)
    forget(uptimes)
