"""Questions about series that come from elsewhere than ``/api/v1/query``, answered in its forms."""

from __future__ import annotations

import orjson

from perf.api.series import brief, whole
from perf.model import Window
from perf.runtime import Runtime
from perf.timerange import window
from perf.views.series import answer


def asked(runtime: Runtime, texts: list[str], span: tuple[str, str], points: int) -> dict[str, object]:
    """The questions *texts* from the first to the second text of *span*, in at most so many *points*, as plain values."""
    within = window(*span, runtime.clock.now())
    got = answer(runtime.store, texts, within, max_points=points)
    shown = [whole(index, series, envelope=False) for index, series in got.series]
    found: dict[str, object] = orjson.loads(
        orjson.dumps({"step": got.step, "series": shown}, option=orjson.OPT_SERIALIZE_NUMPY)
    )
    return found


def fresh(runtime: Runtime, texts: list[str], since: float, step: float) -> bytes:
    """The steps of the questions *texts* that began at *since* or later, as JSON."""
    now = runtime.clock.now()
    got = answer(runtime.store, texts, Window(since, now + 1.0), step=step)
    series = [brief(index, one, envelope=False) for index, one in got.series if len(one.ts)]
    return orjson.dumps({"to": round(now, 3), "step": step, "series": series}, option=orjson.OPT_SERIALIZE_NUMPY)
