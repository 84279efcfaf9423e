"""When a probe runs, what it waits for, and what its failure means. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

import msgspec

from perf.errors import SettingsError


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """*timeout* and *interval* in seconds. It runs only while those named *after* are neither unhealthy nor unknown.

    One that isn't *critical* degrades only; while a *readiness* one is unhealthy, the process isn't ready. So many
    *failures* in a row make it unhealthy, fewer degraded. *kind* is for people.
    """

    timeout: float = 2.0
    interval: float = 10.0
    after: tuple[str, ...] = ()
    critical: bool = True
    readiness: bool = False
    failures: int = 1
    kind: str = ""


def ordered(plans: Mapping[str, Plan]) -> tuple[str, ...]:
    """The names of *plans*, each behind those that it waits for.

    Raises: SettingsError for a name that isn't there, and for probes that wait for each other.
    """
    for name, plan in plans.items():
        for other in plan.after:
            if other not in plans:
                near = difflib.get_close_matches(other, plans, n=1, cutoff=0.5)
                hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(plans))}"
                raise SettingsError(f"health.probes.{name}.after: no probe {other!r}; {hint}")
    try:
        return tuple(TopologicalSorter({name: plan.after for name, plan in plans.items()}).static_order())
    except CycleError as error:
        circle = " after ".join(error.args[1][::-1])
        raise SettingsError(f"health.probes: probes wait for each other: {circle}") from error
