"""Reads the arguments, runs the verb, and turns every expected error into one line and an exit code."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import perf
from perf.cli import (
    alerts,
    dashboard,
    doctor,
    export,
    health,
    keys,
    log_level,
    password,
    profile,
    rules,
    serve,
    sql,
)
from perf.errors import PerfError

FAILED = 2
INTERRUPTED = 130
"""What shells expect of a program that ends by Ctrl+C."""

_EPILOG = """\
examples:
  python -m perf dashboard                                 record, and show it on the port of the settings
  python -m perf serve                                     the same without the dashboard
  python -m perf health                                    the state of the running monitor
  python -m perf alerts                                    what fires now
  python -m perf rules export > rules.yaml                 the rules of alerts, for git
  python -m perf sql "SELECT * FROM perf.metrics LIMIT 5"
  python -m perf export --query cpu_usage_percent --from now-24h --step 60s --output cpu.csv
  python -m perf profile --seconds 10 --output hot.txt     where perf, or any Python process, spends its time
  python -m perf log-level DEBUG --for 10m                 log more for a while
  python -m perf doctor                                    what is wrong with this installation

Settings come from perf.toml (or --config FILE) and from PERF_ variables, such as PERF_STORE__PATH.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb with *argv* (default: the arguments of this process) and return its exit code.

    Raises: SystemExit from argparse, for ``--help`` and for arguments it refuses.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that can't show a character shows its number; an error half-way through a table helps nobody.
        sys.stdout.reconfigure(errors="backslashreplace")
    options = parser().parse_args(argv)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (head, less) has seen enough; Python would complain once more while it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except (PerfError, OSError) as error:
        if options.debug:
            raise
        print(f"perf: {error}", file=sys.stderr)
        return FAILED
    return code


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--config", type=Path, metavar="FILE", help="settings file (default: perf.toml, if there is one)"
    )
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")
    top = argparse.ArgumentParser(
        prog="python -m perf",
        description="Records what a machine and its programs do, and answers questions about it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"perf {perf.__version__}")
    verbs = top.add_subparsers(metavar="VERB", required=True)
    for verb in (
        dashboard,
        serve,
        health,
        alerts,
        rules,
        sql,
        export,
        profile,
        log_level,
        keys,
        password,
        doctor,
    ):
        name = verb.__name__.rpartition(".")[2].replace("_", "-")
        text = (verb.__doc__ or "").strip()
        added = verbs.add_parser(
            name,
            help=verb.SUMMARY,
            description=text.partition("\n")[0],
            epilog=verb.EXAMPLES,
            parents=[common],
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        verb.arguments(added)
        added.set_defaults(run=verb.run)
    return top
