"""CPU shares from two readings of the kernel's CPU times. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

# The kernel counts a guest's time in user and nice as well.
_COUNTED_ELSEWHERE = frozenset(("guest", "guest_nice"))
_NOT_BUSY = frozenset(("idle", "iowait"))


class CpuShares(msgspec.Struct, frozen=True):
    """How time was spent between two readings, in percent: busy of each core; each mode, and busy, of all cores."""

    cores: dict[int, float]
    modes: dict[str, float]
    usage: float | None


def shares(fields: Sequence[str], before: Sequence[Sequence[float]], after: Sequence[Sequence[float]]) -> CpuShares:
    """What the cores did between *before* and *after*: one row per core of CPU seconds named by *fields*.

    A core without any time in between (offline, or read twice in one clock tick) is absent, and everything is when the
    number of cores changed.
    """
    if len(before) != len(after):
        return CpuShares({}, {}, None)
    counted = [index for index, name in enumerate(fields) if name not in _COUNTED_ELSEWHERE]
    quiet = [index for index in counted if fields[index] in _NOT_BUSY]
    sums = [0.0] * len(fields)
    cores: dict[int, float] = {}
    for core, (old, new) in enumerate(zip(before, after, strict=True)):
        # Idle and iowait step back by a tick now and then (proc_stat(5)).
        spent = [max(0.0, late - early) for early, late in zip(old, new, strict=True)]
        total = sum([spent[index] for index in counted])
        if total <= 0.0:
            continue
        cores[core] = percent(total - sum([spent[index] for index in quiet]), total)
        sums = [a + b for a, b in zip(sums, spent, strict=True)]
    everything = sum([sums[index] for index in counted])
    if everything <= 0.0:
        return CpuShares({}, {}, None)
    modes = {fields[index]: percent(sums[index], everything) for index in counted if fields[index] != "idle"}
    return CpuShares(cores, modes, percent(everything - sum([sums[index] for index in quiet]), everything))


def quota_usage(*, seconds: float, elapsed: float, cores: float) -> float | None:
    """CPU time of *seconds* within *elapsed* as percent of a quota of *cores*; None without a span.

    A group that saved up quota may exceed it for a moment; that counts as 100.
    """
    return percent(max(0.0, seconds), elapsed * cores) if elapsed > 0.0 else None


def percent(part: float, whole: float) -> float:
    """*part* of *whole*, 0-100, to two decimals: finer than a clock tick in a second, and short decimals compress."""
    return round(min(100.0, max(0.0, 100.0 * part / whole)), 2)
