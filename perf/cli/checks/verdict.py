"""What one check of ``perf doctor`` says."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Verdict(StrEnum):
    """From best to worst."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Check(msgspec.Struct, frozen=True):
    """One thing that was looked at: what was *found*, and what to *do* about it when it isn't OK."""

    name: str
    verdict: Verdict
    found: str
    do: str = ""


def ok(name: str, found: str) -> Check:
    """Nothing to do."""
    return Check(name, Verdict.OK, found)


def warn(name: str, found: str, do: str) -> Check:
    """It works, but worse than it could."""
    return Check(name, Verdict.WARN, found, do)


def fail(name: str, found: str, do: str) -> Check:
    """perf can't work like this."""
    return Check(name, Verdict.FAIL, found, do)
