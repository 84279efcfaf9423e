"""How much the running monitor logs: shown, or changed for a while. Exit code: 0, 2 when it can't be done."""

from __future__ import annotations

import argparse

import msgspec

from perf import timerange
from perf.cli import owner, remote
from perf.logs import LEVELS

SUMMARY = "how much the running monitor logs, changed for a while"
EXAMPLES = """\
examples:
  python -m perf log-level
  python -m perf log-level DEBUG --for 10m
  python -m perf log-level reset
"""


class _InForce(msgspec.Struct, frozen=True):
    level: str
    changed: bool


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this verb."""
    parser.add_argument("level", nargs="?", choices=[*LEVELS, "reset"], help="the new one (default: show it)")
    parser.add_argument("--for", dest="span", metavar="TIME", help="10m, 1h (default: production.log_level_for)")
    remote.arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Ask, or change."""
    wanted: dict[str, object] | None = None
    if options.level is not None:
        wanted = {} if options.level == "reset" else {"level": options.level}
        if options.span is not None:
            wanted["seconds"] = timerange.duration(options.span)
    found = remote.asked(owner.link(options), "log-level", _InForce, wanted, method="PUT" if wanted is not None else "")
    print(found.level + (" (changed at run time)" if found.changed else ""))
    return 0
