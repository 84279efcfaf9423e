"""What recording adds to a statement or command, against the plain client: rounds interleaved in one process, minimum of each.

python -m tests.bench.bench_databases
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from time import perf_counter

import duckdb
import psycopg
import redis as redislib
from sqlalchemy import create_engine, text

from perf.clock import SystemClock
from perf.instrument import dbapi
from perf.instrument import redis as ours
from perf.instrument import sqlalchemy as engines
from perf.instrument.statements import KEPT, statement
from perf.record import Recorder
from tests import services

ROUNDS = 15
MISSES = 500
TEXT = "SELECT o.id, c.name FROM orders o JOIN customers c ON c.id = o.customer WHERE o.id = ?"

RECORDER = Recorder(SystemClock())
RECORDER.max_share = 1.0  # Every call is measured: the price without sampling.


def best(calls: dict[str, Callable[[], object]], number: int) -> dict[str, float]:
    """Microseconds a call."""
    found = dict.fromkeys(calls, float("inf"))
    for _ in range(ROUNDS):
        for name, call in calls.items():
            began = perf_counter()
            for _ in range(number):
                call()
            found[name] = min(found[name], (perf_counter() - began) / number * 1e6)
        RECORDER.drain(0.0)
        for call in calls.values():
            call()  # The first call after a drain opens a trace.
    return found


def row(what: str, plain: Callable[[], object], recorded: Callable[[], object], number: int) -> None:
    """Measure, and print a line."""
    found = best({"plain": plain, "recorded": recorded}, number)
    added = found["recorded"] - found["plain"]
    print(
        f"{what:34}{found['plain']:10.2f}{found['recorded']:11.2f}{added:+9.2f}{found['recorded'] / found['plain']:8.2f}x"
    )


def summaries() -> None:
    """A remembered text, and one that is new each time."""
    hit = best({"hit": lambda: statement(TEXT)}, 20_000)["hit"]
    texts = [f"{TEXT} AND o.total > {number}" for number in range(KEPT + MISSES)]
    for each in texts:
        statement(each)
    began = perf_counter()
    for each in texts[:MISSES]:
        statement(each)
    miss = (perf_counter() - began) / MISSES * 1e6
    print(f"\nsummary of a statement: {hit:.2f} us remembered, {miss:.1f} us new")


def main() -> None:
    """Print the table."""
    print(f"{'us a call':34}{'plain':>10}{'recorded':>11}{'added':>9}{'ratio':>9}")
    lite, own = sqlite3.connect(":memory:"), dbapi.instrument(sqlite3.connect(":memory:"), RECORDER)
    cursor, watched = lite.cursor(), own.cursor()
    row("sqlite3 cursor, SELECT 1", lambda: cursor.execute("SELECT 1"), lambda: watched.execute("SELECT 1"), 5_000)
    row("sqlite3 connection, SELECT 1", lambda: lite.execute("SELECT 1"), lambda: own.execute("SELECT 1"), 5_000)
    duck, ducks = duckdb.connect(), dbapi.instrument(duckdb.connect(), RECORDER)
    row("DuckDB, SELECT 1", lambda: duck.execute("SELECT 1"), lambda: ducks.execute("SELECT 1"), 200)
    plain, engine = create_engine("sqlite://"), create_engine("sqlite://")
    engines.instrument(engine, RECORDER)
    one = text("SELECT 1")
    with plain.connect() as before, engine.connect() as after:
        row("SQLAlchemy on SQLite, SELECT 1", lambda: before.execute(one).all(), lambda: after.execute(one).all(), 500)
    with services.postgres() as dsn, psycopg.connect(dsn) as elephant, psycopg.connect(dsn) as herd:
        dbapi.instrument(herd, RECORDER)
        row("psycopg, SELECT 1", lambda: elephant.execute("SELECT 1"), lambda: herd.execute("SELECT 1"), 200)
    with services.redis() as port, redislib.Redis(port=port) as client, redislib.Redis(port=port) as heard:
        ours.instrument(heard, RECORDER)
        row("redis-py, GET", lambda: client.get("absent"), lambda: heard.get("absent"), 200)
    summaries()


if __name__ == "__main__":
    main()
