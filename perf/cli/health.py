"""The state of the running monitor. Exit code: 0 healthy, 1 degraded, 2 unhealthy, 3 could not look."""

from __future__ import annotations

import argparse
import sys
from urllib.parse import quote, urlencode

import msgspec

from perf.cli import owner, remote
from perf.cli.table import moment, rendered
from perf.errors import OwnerError, PerfError
from perf.model import Spell, Status
from perf.wire.link import Link

SUMMARY = "the state of the running monitor"
EXAMPLES = """\
examples:
  python -m perf health
  python -m perf health --run
  python -m perf health --history store --from now-7d
  python -m perf health --json | jq .checks.store
  python -m perf health --url http://10.0.0.7:8503
"""

CODES = {Status.HEALTHY: 0, Status.DEGRADED: 1, Status.UNHEALTHY: 2, Status.UNKNOWN: 3}


class _Part(msgspec.Struct, frozen=True):
    title: str
    cost: float


class _Score(msgspec.Struct, frozen=True):
    value: float | None
    grade: str
    parts: list[_Part]


class _History(msgspec.Struct, frozen=True):
    uptime: float | None
    spells: list[Spell]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this verb."""
    parser.add_argument("--json", action="store_true", help="the answer of /health as it is")
    parser.add_argument("--run", dest="now", action="store_true", help="run every check now, and wait for it")
    parser.add_argument("--history", metavar="CHECK", help="when one check was in which state")
    parser.add_argument("--from", dest="since", default="now-24h", metavar="TIME", help="with --history: since when")
    remote.arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Print the table of probes, or the history of one."""
    try:
        asked = owner.link(options, timeout=5.0)
        if options.history:
            return _history(asked, str(options.history), str(options.since))
        if options.now:
            remote.asked(asked, "probes/run", msgspec.Raw, given={})
        found, body = remote.health(asked)
    except PerfError as error:
        print(f"perf: {error}", file=sys.stderr)
        return CODES[Status.UNKNOWN]
    if options.json:
        print(body.decode())
        return CODES[found.status]
    if found.checks:
        rows = [(name, check.status, f"{check.seconds:.3f}", check.message) for name, check in found.checks.items()]
        print(rendered(("probe", "status", "seconds", "message"), rows))
    print(f"\n{_score(asked)}{found.status}: {found.message or 'details are for those who may read'}")
    return CODES[found.status]


def _score(asked: Link) -> str:
    """The score in a line; nothing where there is none, or where it may not be read."""
    try:
        found = remote.asked(asked, "score", _Score)
    except OwnerError:
        return ""
    if found.value is None:
        return ""
    costs = ", ".join(f"{part.title} -{part.cost:.1f}" for part in found.parts if part.cost >= 0.05)
    return f"score {found.value:.0f} of 100, {found.grade}{': ' + costs if costs else ''}\n"


def _history(asked: Link, name: str, since: str) -> int:
    """Stretches of one state, the newest first. Raises: OwnerError, QueryError."""
    path = f"probes/{quote(name, safe='')}/history?{urlencode({'from': since})}"
    found = remote.asked(asked, path, _History)
    rows = [
        (f"{moment(one.start)} UTC", f"{one.end - one.start:.0f} s", one.status.value, one.message)
        for one in found.spells
    ]
    print(rendered(("from", "lasted", "status", "last message"), rows))
    print(f"\nup {'unknown' if found.uptime is None else f'{100 * found.uptime:.2f} %'} of the watched time")
    return CODES[found.spells[0].status] if found.spells else CODES[Status.UNKNOWN]
