"""The dashboard under load: 100 connections of wrk on ``/health`` and 60 sessions, and whether anything grows.

python -m tests.load [--seconds 600] [--connections 100] [--sessions 60]

Ends with 1 when health is slower than the target, a session met an error, or something grew.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.load.growth import Growth, metric
from tests.load.visitors import Visit, visit
from tests.services import Site, site

TARGET_MS = 250.0
"""What ``/health`` may take, p99."""
MAY_GROW = {"memory": 1.05, "threads": 1.10, "handles": 1.05}
"""The last third of the time against the first, after warming up."""
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1_000.0, "m": 60_000.0}


def wrk(url: str, *, connections: int, seconds: float) -> subprocess.Popen[str]:
    """wrk on *url*, running."""
    found = shutil.which("wrk")
    if found is None:
        raise SystemExit("wrk is not installed: apt-get install wrk, or brew install wrk")
    command = [found, "-t", "1", "-c", str(connections), "-d", f"{max(1, round(seconds))}s", "--latency", url]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def percentile(said: str, which: str) -> float:
    """A line of wrk's table of latencies, in milliseconds."""
    found = re.search(rf"^\s*{which}%\s+([\d.]+)(us|ms|s|m)$", said, re.MULTILINE)
    if found is None:
        raise ValueError(f"wrk told no latencies:\n{said}")
    return float(found[1]) * _UNITS[found[2]]


def counted(said: str, what: str) -> int:
    """The numbers of wrk's line about *what*, added up; 0 without one."""
    found = re.search(rf"^\s*{what}.*?: (.*)$", said, re.MULTILINE)
    return sum(int(number) for number in re.findall(r"\d+", found[1])) if found else 0


def row(name: str, values: Sequence[float]) -> str:
    """Number, median, p99 and the highest of *values* (seconds), in milliseconds."""
    ms = np.array(values) * 1_000.0
    return f"{name:<24}{len(ms):>8,}{np.median(ms):>10.0f}{np.percentile(ms, 99):>10.0f}{ms.max():>10.0f}\n"


def report(running: Site, growth: Growth, met: Visit, said: str) -> tuple[str, list[str]]:
    """The tables, and what is wrong."""
    p50, p99, rate = percentile(said, "50"), percentile(said, "99"), re.search(r"Requests/sec:\s+([\d.]+)", said)
    wrong = [f"{number} x {error}" for error, number in met.errors.items()]
    wrong += [f"/health: p99 {p99:.0f} ms"] if p99 > TARGET_MS else []
    wrong += [f"/health: {errors} connections failed"] if (errors := counted(said, "Socket errors")) else []
    text = f"/health: p50 {p50:.0f} ms, p99 {p99:.0f} ms (target {TARGET_MS:.0f}), {float(rate[1]) if rate else 0:,.0f} requests/s, "
    text += f"{counted(said, 'Non-2xx'):,} of them 503: the checks say that this machine is overloaded\n"
    text += f"{'ms':<24}{'number':>8}{'p50':>10}{'p99':>10}{'highest':>10}\n"
    text += row("pages", met.pages) + row("requests of live pages", met.polls)
    for name in ("memory", "threads", "handles", "log"):
        before, after = growth.change(name)
        highest = max(getattr(one, name) for one in growth.seen)
        text += f"{name:<24}{before:>8.1f} -> {after:.1f} (highest {highest:.1f})\n"
        if name in MAY_GROW and after > before * MAY_GROW[name] + 1.0:
            wrong.append(f"{name} grew from {before:.1f} to {after:.1f}")
    cursors = metric(running.url, "perf_store_cursors")
    text += f"{'cursors at the end':<24}{cursors:>8.0f}\n"
    return text, wrong + ([f"{cursors:.0f} cursors are open"] if cursors > 2 else [])


def main() -> int:
    """Run it, and say what happened."""
    parser = argparse.ArgumentParser(prog="python -m tests.load")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--connections", type=int, default=100)
    parser.add_argument("--sessions", type=int, default=60)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="perf-load-") as folder, site(Path(folder)) as running:
        with Growth(running.process.pid, Path(folder) / "perf.duckdb") as growth:
            load = wrk(f"{running.url}/health", connections=given.connections, seconds=given.seconds)
            met = visit(running.url, sessions=given.sessions, seconds=given.seconds)
            said = load.communicate()[0]
        text, wrong = report(running, growth, met, said)
    sys.stdout.write(text + "".join(f"PROBLEM {one}\n" for one in wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
