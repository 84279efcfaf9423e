"""One read-only SQL statement on the stored data. Exit code: 0, or 2 when it failed."""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Callable, Mapping

import msgspec

from perf.cli import owner, remote
from perf.cli.cells import safe
from perf.cli.table import rendered
from perf.clock import SystemClock
from perf.model import SqlResult

SUMMARY = "one read-only SQL statement on the stored data"
EXAMPLES = """\
examples:
  python -m perf sql "SELECT metric, count(*) AS n FROM perf.metrics GROUP BY metric ORDER BY n DESC"
  python -m perf sql --format csv --max-rows 100000 - < question.sql > answer.csv

The stable views are perf.metrics (raw samples), perf.metrics_1m, perf.metrics_1h, perf.distributions, perf.exemplars, perf.deploys,
perf.alerts and perf.probe_results (docs/guides/sql.md), and what older systems called performance_metrics, query_performance and
performance_alerts.
In CSV, text that a spreadsheet would run as a formula gets an apostrophe in front.
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this verb."""
    remote.arguments(parser)
    parser.add_argument("statement", metavar="SQL", help="the statement; - reads it from standard input")
    parser.add_argument("--format", choices=sorted(FORMS), default="table", help="default: table")
    parser.add_argument("--max-rows", type=row_count, default=1_000, metavar="N", help="1 to 100,000 (default: 1,000)")


def run(options: argparse.Namespace) -> int:
    """Print what the statement returns; rows beyond the limit are announced on standard error."""
    text = sys.stdin.read() if options.statement == "-" else str(options.statement)
    with owner.data(options, SystemClock()) as data:
        result = data.sql(text, max_rows=options.max_rows)
    print(FORMS[options.format](result))
    if result.truncated:
        print(f"perf: only the first {len(result.rows):,} rows; --max-rows shows more", file=sys.stderr)
    return 0


def row_count(text: str) -> int:
    """A number of rows that may be asked for. Raises: argparse.ArgumentTypeError."""
    digits = text.replace(",", "").replace("_", "")
    if not digits.isascii() or not digits.isdigit() or not 1 <= int(digits) <= 100_000:
        raise argparse.ArgumentTypeError(f"a whole number from 1 to 100,000, not {text!r}")
    return int(digits)


def as_table(result: SqlResult) -> str:
    """For people."""
    count = f"{len(result.rows):,} row{'' if len(result.rows) == 1 else 's'}"
    return f"{rendered(result.columns, result.rows)}\n({count}, {result.seconds * 1000:.1f} ms)"


def as_csv(result: SqlResult) -> str:
    """With a header, and line ends that other programs of a pipe expect."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([safe(name) for name in result.columns])
    writer.writerows([safe(value) for value in row] for row in result.rows)
    return buffer.getvalue().removesuffix("\n")


def as_json(result: SqlResult) -> str:
    """A list with one object a row; a column's name that comes again gets a number."""
    names: list[str] = []
    for name in result.columns:
        taken, number = name, 1
        while taken in names:
            number += 1
            taken = f"{name}_{number}"
        names.append(taken)
    rows = [dict(zip(names, row, strict=True)) for row in result.rows]
    return msgspec.json.format(msgspec.json.encode(rows), indent=2).decode()


FORMS: Mapping[str, Callable[[SqlResult], str]] = {"table": as_table, "csv": as_csv, "json": as_json}
