"""The demo: two weeks of a shop's history, and from now on the shop itself, its back office and its jobs under load.

python -m examples.demo [--port 8503] [--days 14]           # Ctrl+C ends everything
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import signal
import sys
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from pathlib import Path

from examples.demo import history, load
from examples.demo.processes import ROOT, Processes, answers, free_port
from examples.demo.story import RELEASES
from perf import ownerfile
from perf import settings as tree
from perf.cli import address
from perf.clock import SystemClock
from perf.errors import PerfError

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_WATCH = 1.0


def main(argv: Sequence[str] | None = None) -> int:
    """Fill, start, and go on until a signal comes. Exit code: 0, or 2 when something could not start or ended by itself."""
    options = _options(argv)
    for number in SIGNALS:
        signal.signal(number, signal.default_int_handler)
    try:
        _play(options)
    except KeyboardInterrupt:
        _say("Stopped.")
    except (PerfError, OSError) as error:
        sys.stderr.write(f"perf: {error}\n")
        return 2
    return 0


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description=(__doc__ or "").partition("\n")[0])
    address.arguments(parser)
    parser.add_argument("--days", type=float, default=14.0, help="of history (default: 14)")
    parser.add_argument("--folder", type=Path, default=Path("build") / "demo", help="of its store, database and logs")
    parser.add_argument("--faster", type=float, default=1.0, help="how much more load (default: 1)")
    return parser.parse_args(argv)


def _play(options: argparse.Namespace) -> None:
    server = address.addressed(tree.load(), options.host, options.port).server
    with address.listener(server) as free:
        port = free.getsockname()[1]
    store = _emptied(options.folder.resolve()) / "perf.duckdb"
    _say(f"Writing {options.days:g} days of history ...")
    _say(_written(store, options.days))
    url = address.loopback_url(server.host, port)
    processes = Processes(store.parent, {"PERF_STORE__PATH": str(store), "PERF_SEND__URL": url})
    try:
        processes.start("dashboard", "perf", "dashboard", "--host", server.host, "--port", str(port), cwd=ROOT)
        asyncio.run(_until_signal(_live(processes, url, options.faster)))
        _say("Stopped.")
    finally:
        for number in SIGNALS:  # A second Ctrl+C must leave nobody behind.
            signal.signal(number, signal.SIG_IGN)
        processes.stop()


def _written(store: Path, days: float) -> str:
    """The history, in *store*; a line that says how much. A signal ends it wherever it is."""
    try:
        return history.present(store, days=days)
    except RuntimeError as error:
        if str(error) != "Query interrupted":
            raise
        # What DuckDB makes of a signal within a statement.
        raise KeyboardInterrupt from error


def _emptied(folder: Path) -> Path:
    """*folder* without what an earlier demo left. Raises: PerfError while that still runs."""
    owner = ownerfile.read(str(folder / "perf.duckdb"))
    if owner is not None and answers(f"{owner.url}/health/live"):
        raise PerfError(f"a demo runs in {folder} already, and answers at {owner.url}; choose another with --folder")
    folder.mkdir(parents=True, exist_ok=True)
    for left in (*folder.glob("perf.duckdb*"), *folder.glob("*.log")):
        left.unlink()
    shutil.rmtree(folder / "data", ignore_errors=True)
    return folder


async def _until_signal(work: Coroutine[None, None, None]) -> None:
    """Do *work*, which a signal cancels. asyncio's own answer to a second Ctrl+C would break off the tidying up."""
    task = asyncio.create_task(work)
    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError):
        await task


async def _live(processes: Processes, url: str, faster: float) -> None:
    """Start what isn't running yet, and load it for ever."""
    await processes.ready(f"{url}/health/ready")
    _say(f"The dashboard: {url}")
    shop, office = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    words = ("uvicorn", "examples.fastapi_shop.shop:app", "--port", shop.rpartition(":")[2], "--no-access-log")
    processes.start("shop", *words, PERF_RELEASE=RELEASES[-1])
    await processes.ready(f"{shop}/products/1")
    script = str(ROOT / "examples" / "streamlit_app" / "overview.py")
    where = ("--server.address", "127.0.0.1", "--server.port", office.rpartition(":")[2])
    quiet = ("--server.headless", "true", "--browser.gatherUsageStats", "false", "--server.fileWatcherType", "none")
    processes.start("back-office", "streamlit", "run", script, *where, *quiet, PERF_RELEASE=RELEASES[-1])
    processes.start("jobs", "examples.batch_job.jobs", "--forever", PERF_RELEASE=RELEASES[-1])
    await processes.ready(f"{office}/_stcore/health")
    _say(f"The shop: {shop}, its back office: {office}, logs: *.log beside the store. Ctrl+C ends all of it.")
    async with asyncio.TaskGroup() as group:
        group.create_task(load.shoppers(shop, SystemClock(), faster=faster))
        group.create_task(load.readers(office, pause=15.0 / faster))
        group.create_task(_watched(processes))


async def _watched(processes: Processes) -> None:
    while True:
        processes.check()
        await asyncio.sleep(_WATCH)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
