"""What fires now. Exit code: 0 nothing, 1 something, 2 could not look."""

from __future__ import annotations

import argparse
import urllib.parse

import msgspec

from perf.cli import owner, remote
from perf.cli.table import moment, rendered
from perf.decoding import from_json

SUMMARY = "what fires now"
EXAMPLES = """\
examples:
  python -m perf alerts
  python -m perf alerts --all --from now-7d                also what is over
  python -m perf alerts --json | jq '.incidents[].rule'

Rules are shown and changed by `python -m perf rules`, and on the Alerts page.
"""


class Line(msgspec.Struct, frozen=True):
    """What is read of an incident."""

    rule: str
    state: str
    severity: str
    labels: dict[str, str]
    since: float
    resolved_at: float | None = None
    summary: str = ""
    acknowledged_by: str = ""


class Incidents(msgspec.Struct, frozen=True):
    """The answer of ``/api/v1/alerts/incidents``."""

    total: int
    incidents: list[Line]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this verb."""
    parser.add_argument("--all", action="store_true", help="also what is over")
    parser.add_argument("--from", dest="start", default="now-24h", metavar="TIME", help="with --all (default: now-24h)")
    parser.add_argument("--json", action="store_true", help="the answer as it is")
    remote.arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Print the table of incidents."""
    query = urllib.parse.urlencode({"state": "all", "from": options.start} if options.all else {"state": "open"})
    answer = remote.asked(owner.link(options), f"alerts/incidents?{query}", msgspec.Raw)
    found = from_json(answer, Incidents)
    firing = any(one.state != "resolved" for one in found.incidents)
    if options.json:
        print(bytes(answer).decode())
    elif found.incidents:
        columns = ("state", "severity", "rule", "labels", "since (UTC)", "until", "acknowledged", "says")
        print(rendered(columns, [_cells(one) for one in found.incidents]))
        if found.total > len(found.incidents):
            print(f"... and {found.total - len(found.incidents):,} more")
    else:
        print("nothing fires" if not options.all else f"nothing fired since {options.start}")
    return int(firing)


def _cells(one: Line) -> tuple[str, ...]:
    labels = ", ".join(f"{name}={value}" for name, value in sorted(one.labels.items()))
    until = "" if one.resolved_at is None else moment(one.resolved_at)
    return (one.state, one.severity, one.rule, labels, moment(one.since), until, one.acknowledged_by, one.summary)
