"""The state of the running monitor. Exit code: 0 healthy, 1 degraded, 2 unhealthy, 3 could not look."""

from __future__ import annotations

import argparse
import sys

from perf import settings as tree
from perf.cli import owner, remote
from perf.cli.table import rendered
from perf.errors import OwnerError
from perf.model import Status

SUMMARY = "the state of the running monitor"
EXAMPLES = """\
examples:
  python -m perf health
  python -m perf health --json | jq .checks.store
  python -m perf health --url http://10.0.0.7:8503
"""

CODES = {Status.HEALTHY: 0, Status.DEGRADED: 1, Status.UNHEALTHY: 2, Status.UNKNOWN: 3}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this verb."""
    parser.add_argument("--json", action="store_true", help="the answer of /health as it is")
    parser.add_argument("--url", metavar="URL", help="ask the monitor there (default: the owner of the store)")


def run(options: argparse.Namespace) -> int:
    """Print the table of probes."""
    url = str(options.url).rstrip("/") if options.url else owner.address(tree.load(options.config))
    try:
        found, body = remote.health(url)
    except OwnerError as error:
        print(f"perf: {error}", file=sys.stderr)
        return CODES[Status.UNKNOWN]
    if options.json:
        print(body.decode())
        return CODES[found.status]
    rows = [(name, check.status, f"{check.seconds:.3f}", check.message) for name, check in found.checks.items()]
    print(rendered(("probe", "status", "seconds", "message"), rows))
    print(f"\n{found.status}: {found.message}")
    return CODES[found.status]
