"""Samples as CSV, Parquet or JSON lines. Exit code: 0, or 2 when it failed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from perf.cli import owner, remote
from perf.cli.questions import ExportRequest
from perf.clock import SystemClock
from perf.errors import PerfError, QueryError

SUMMARY = "samples as CSV, Parquet or JSON lines"
EXAMPLES = """\
examples:
  python -m perf export --query cpu_usage_percent --query memory_usage_percent --step 60s > day.csv
  python -m perf export --query 'sum by (device) (rate(disk_read_bytes_total))' --from now-7d --step 1h --format json
  python -m perf export --raw --query 'disk_usage_percent{mount="/"}' --format parquet --output disk.parquet

Times are now, now-24h, 2026-01-31T12:00:00Z or Unix seconds; the end is not included.
"""


class ExportError(PerfError):
    """The file can't be written."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this verb."""
    remote.arguments(parser)
    parser.add_argument("--query", action="append", default=[], metavar="EXPR", help="what to export; may come again")
    parser.add_argument("--from", dest="start", default="now-24h", metavar="TIME", help="default: now-24h")
    parser.add_argument("--to", dest="end", default="now", metavar="TIME", help="default: now")
    detail = parser.add_mutually_exclusive_group()
    detail.add_argument("--step", default="", metavar="SPAN", help="seconds or 30s, 5m, 1h (default: about 400 points)")
    detail.add_argument("--raw", action="store_true", help="every stored sample; without --query of every series")
    parser.add_argument("--format", choices=("csv", "parquet", "json"), default="csv", help="default: csv")
    parser.add_argument(
        "--zone", default="UTC", metavar="ZONE", help="time zone of readable times in CSV (default: UTC)"
    )
    parser.add_argument("--output", default="-", metavar="FILE", help="default: -, standard output")


def run(options: argparse.Namespace) -> int:
    """Write the file; it appears under its name only when it is whole."""
    if not options.raw and not options.query:
        raise QueryError("name at least one --query, or ask for --raw")
    if options.format == "parquet" and options.output == "-" and sys.stdout.isatty():
        raise QueryError("Parquet is no text for a terminal: name a file with --output")
    wanted = ExportRequest(
        queries=tuple(options.query),
        start=options.start,
        end=options.end,
        step=options.step,
        raw=options.raw,
        form=options.format,
        zone=options.zone,
    )
    with owner.data(options, SystemClock()) as data:
        pieces = data.export(wanted)
        lines = written(pieces, sys.stdout.buffer) if options.output == "-" else saved(pieces, Path(options.output))
    if options.format != "parquet" and lines <= (options.format == "csv"):
        print("perf: nothing was recorded for this question; the file has no rows", file=sys.stderr)
    return 0


def saved(pieces: Iterator[bytes], path: Path) -> int:
    """Write *pieces* to *path* through a draft beside it; number of line ends. Raises: ExportError."""
    draft = path.with_name(f"{path.name}.part")
    try:
        try:
            with draft.open("wb") as file:
                lines = written(pieces, file)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise ExportError(f"can't write {path}: {error.strerror}") from error
    return lines


def written(pieces: Iterator[bytes], file: BinaryIO) -> int:
    """Write *pieces* to *file*; number of line ends."""
    lines = 0
    for piece in pieces:
        file.write(piece)
        lines += piece.count(b"\n")
    file.flush()
    return lines
