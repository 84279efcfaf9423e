"""``/api/v1/store/probes/...``: what probes said, for processes elsewhere."""

from __future__ import annotations

from perf.api.endpoint import Endpoint
from perf.api.stores import WINDOW, asked, change
from perf.model import Spell, UptimeCell
from perf.runtime import Runtime
from perf.views.writes import written
from perf.wire import questions


def _keep(runtime: Runtime, given: questions.Checked) -> None:
    written(runtime.writer, lambda: runtime.store.probes.keep(given.results), "checks")


ENDPOINTS: tuple[Endpoint, ...] = (
    asked(
        "probes/spells",
        questions.Spells,
        lambda runtime, given: runtime.store.probes.spells(given.probe, given.window, given.limit),
        list[Spell],
        "The stretches of one state of a probe",
        example=f'{{"probe": "store", "window": {WINDOW}}}',
    ),
    asked(
        "probes/uptime",
        questions.Uptime,
        lambda runtime, given: runtime.store.probes.uptime(given.window, given.step),
        list[UptimeCell],
        "How long every probe was in each state",
        example=f'{{"window": {WINDOW}, "step": 600}}',
    ),
    change(
        "probes/keep",
        questions.Checked,
        _keep,
        None,
        "Keep what probes said",
        example='{"results": [{"name": "mail", "status": "healthy", "message": "answers", "ts": 1800000000}]}',
    ),
)
