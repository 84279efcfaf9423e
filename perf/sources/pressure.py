"""Time lost waiting for CPU, memory and I/O, of the container or else of the host; nothing on kernels without PSI.

Format: https://docs.kernel.org/accounting/psi.html
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from perf.model import Kind, Metric, Sample
from perf.ports import Clock
from perf.settings import HostSettings
from perf.sources.cgroup import Cgroup, contents

STALL = Metric(
    "pressure_stall_seconds_total",
    Kind.COUNTER,
    "s",
    "Time in which some or all tasks waited for a resource.",
)
RESOURCES = ("cpu", "memory", "io")


class PressureSource:
    """Reads the ``*.pressure`` files of our container's group, or else ``/proc/pressure``."""

    def __init__(
        self,
        options: HostSettings,  # noqa: ARG002 - every source is made the same way
        clock: Clock,  # noqa: ARG002
        *,
        cgroup: Cgroup | None = None,
        proc: Path = Path("/proc"),
    ) -> None:
        folder = (cgroup or Cgroup()).pressure_folder()
        self._of_host = folder is None
        self._files = {
            resource: f"{proc}/pressure/{resource}" if folder is None else f"{folder}/{resource}.pressure"
            for resource in RESOURCES
        }

    def collect(self, ts: float) -> Iterable[Sample]:
        """One counter per resource and kind, stamped *ts*."""
        for resource, file in self._files.items():
            for kind, seconds in stalls(contents(file) or "").items():
                # For the whole host the kernel can't say when all tasks wait for CPU, and writes 0.
                if not (self._of_host and resource == "cpu" and kind == "full"):
                    yield Sample(ts, STALL, (("kind", kind), ("resource", resource)), seconds)


def stalls(text: str) -> dict[str, float]:
    """Kind (``some``, ``full``) -> total seconds, from lines like ``some avg10=0.00 ... total=1234`` (microseconds)."""
    found = {}
    for line in text.splitlines():
        kind, _, numbers = line.partition(" ")
        _, mark, total = numbers.rpartition("total=")
        if kind in ("some", "full") and mark and total.strip().isdigit():
            found[kind] = int(total) / 1e6
    return found
