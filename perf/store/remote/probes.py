"""What probes said, kept by an owner elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from perf.model import ProbeResult, Spell, UptimeCell, Window
from perf.store.remote.asking import Asking
from perf.wire import questions


class RemoteProbes:
    """A `perf.ports.ProbeStore` over HTTP. Every method raises StoreAway, StoreError."""

    def __init__(self, asking: Callable[[], Asking]) -> None:
        """*asking* finds the owner, or raises StoreClosed."""
        self._asking = asking

    def keep(self, results: Sequence[ProbeResult]) -> None:
        """Keep *results*, all or none."""
        if results:
            self._asking().done("probes/keep", questions.Checked(results=tuple(results)))

    def spells(self, probe: str, window: Window, limit: int = 100) -> list[Spell]:
        """The stretches of one state of *probe* in *window*, the newest first."""
        asked = questions.Spells(probe=probe, window=window, limit=limit)
        return self._asking().found("probes/spells", list[Spell], asked)

    def uptime(self, window: Window, step: float) -> list[UptimeCell]:
        """How long every probe was in each state, in steps of *step* seconds."""
        return self._asking().found("probes/uptime", list[UptimeCell], questions.Uptime(window=window, step=step))
