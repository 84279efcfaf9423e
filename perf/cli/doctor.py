"""Looks at the installation and says what to do. Exit code: 0 all is well, 1 there are warnings, 2 something fails."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import msgspec

from perf.cli.checks import installation, machine, storage
from perf.cli.checks.verdict import Check, Verdict
from perf.clock import SystemClock
from perf.sources.cgroup import Cgroup

SUMMARY = "what is wrong with this installation, and what to do"
EXAMPLES = """\
examples:
  python -m perf doctor
  python -m perf doctor --json

It changes nothing and does not open the store.
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this verb."""
    parser.add_argument("--json", action="store_true", help="a list with one object a check")


def run(options: argparse.Namespace) -> int:
    """Print every check."""
    found = list(checks(options.config))
    if options.json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        print("\n".join(_line(check) for check in found))
    return max((tuple(Verdict).index(check.verdict) for check in found), default=0)


def checks(config: Path | None) -> Iterator[Check]:
    """Every check; those that need settings only when these can be read."""
    yield installation.python()
    yield from installation.packages()
    check, settings = installation.settings(config)
    yield check
    if settings is None:
        return
    group = Cgroup()
    yield from storage.stored(settings)
    yield storage.clock(settings, SystemClock())
    yield machine.port(settings)
    yield machine.limits(group, settings.store.memory_limit)
    yield machine.pressure(group)


def _line(check: Check) -> str:
    text = f"{check.verdict:<5} {check.name:<10} {check.found}"
    return f"{text}\n{'':17}-> {check.do}" if check.do else text
