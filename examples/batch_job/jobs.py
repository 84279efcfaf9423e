"""The shop's jobs: one counts the shelf, one reports at night. Once, from cron, or on and on.

python -m examples.batch_job.jobs stock_sync
python -m examples.batch_job.jobs --forever
"""

from __future__ import annotations

import argparse
import logging
import random
import signal
from datetime import date, datetime
from threading import Event

import perf.instrument.dbapi
from examples.fastapi_shop import database
from perf.clock import SystemClock
from perf.instrument.jobs import job
from perf.monitoring import start_performance_monitoring

SYNC_SECONDS = 120.0
FAILING = 0.03
_stop = Event()
_log = logging.getLogger("jobs")


@job("stock_sync", every=SYNC_SECONDS)
def stock_sync() -> None:
    """Takes what was sold off the shelf. Fails when the warehouse does not answer."""
    if random.random() < FAILING:
        _stop.wait(10.0)
        raise TimeoutError("the warehouse does not answer")
    connection = perf.instrument.dbapi.instrument(database.connect())
    connection.execute("UPDATE products SET stock = (stock + 97) % 250")
    connection.commit()
    _stop.wait(random.uniform(0.8, 1.6))
    connection.close()


@job("nightly_report", every="1d", grace="1h")
def nightly_report() -> None:
    """Adds up all orders, customer by customer."""
    connection = perf.instrument.dbapi.instrument(database.connect())
    connection.execute("SELECT customer, count(*) FROM orders GROUP BY customer ORDER BY 2 DESC").fetchall()
    _stop.wait(random.uniform(40.0, 55.0))
    connection.close()


def forever() -> None:
    """Count the shelf every two minutes, and report after midnight."""
    reported = _today()
    while True:
        try:
            stock_sync()
        except TimeoutError as error:
            _log.warning("stock_sync failed: %s", error)
        if _stop.wait(SYNC_SECONDS):
            return
        if _today() != reported:
            reported = _today()
            nightly_report()


def _today() -> date:
    return datetime.fromtimestamp(SystemClock().now()).astimezone().date()


def main() -> None:
    """Run one job, or all."""
    jobs = {"stock_sync": stock_sync, "nightly_report": nightly_report}
    parser = argparse.ArgumentParser(prog="python -m examples.batch_job.jobs")
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("job", nargs="?", choices=jobs)
    chosen.add_argument("--forever", action="store_true", help="all of them, each in its time")
    options = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _stop.set())
    start_performance_monitoring(service="jobs")
    jobs.get(options.job, forever)()


if __name__ == "__main__":
    main()
