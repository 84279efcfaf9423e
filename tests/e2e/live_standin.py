"""A stand-in for the query API: every number is a function of its query, its labels and its time."""

from __future__ import annotations

import gzip
import json
import math
import re
import zlib
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from perf.clock import SystemClock

FIRST = 1_700_000_000
_CORES = 10
_CLOCK = SystemClock()


class Knobs:
    """What a test turns: the status to fail with, queries that are wrong, and whether news have stopped."""

    def __init__(self) -> None:
        self.fail = 0
        self.wrong: list[str] = []
        self.silent = False
        self.asked: list[str] = []


KNOBS = Knobs()


def routes() -> list[Route]:
    """The API and a door for the test."""
    return [Route("/api/v1/query", _query), Route("/knobs", _knobs, methods=["GET", "POST"])]


async def _knobs(request: Request) -> Response:
    if request.method == "POST":
        for name, value in (await request.json()).items():
            setattr(KNOBS, name, value)
    return JSONResponse({"asked": KNOBS.asked})


async def _query(request: Request) -> Response:
    KNOBS.asked.append(str(request.url.query))
    asked = request.query_params
    texts = asked.getlist("query")
    if KNOBS.fail:
        return _problem(KNOBS.fail, "Store is closed", "the writer has stopped")
    for text in texts:
        if text in KNOBS.wrong or text.startswith("wrong"):
            return _problem(400, "Query can't be understood", f"unknown function in {text!r}")
    now = _CLOCK.now()
    brief = "since" in asked
    start = float(asked["since"] if brief else asked["from"])
    end = now if brief else min(now, float(asked["to"]))
    step = float(asked.get("step") or max(1.0, math.ceil((end - start) / int(asked["max_points"]))))
    series = []
    if not (brief and KNOBS.silent):
        for index, text in enumerate(texts):
            series += _answers(index, text, start, end, step, brief=brief, envelope="envelope" in asked)
    head: dict[str, Any] = {} if brief else {"from": start}
    return _compressed({**head, "to": round(end, 3), "step": step, "series": series})


def _compressed(body: dict[str, Any]) -> Response:
    packed = gzip.compress(json.dumps(body, separators=(",", ":")).encode(), 6, mtime=0)
    headers = {"cache-control": "no-store", "content-encoding": "gzip"}
    return Response(packed, media_type="application/json", headers=headers)


def _problem(status: int, title: str, detail: str) -> Response:
    body = {"type": "about:blank", "title": title, "detail": detail, "status": status}
    return JSONResponse(body, status_code=status, media_type="application/problem+json")


def _answers(
    index: int, text: str, start: float, end: float, step: float, *, brief: bool, envelope: bool
) -> list[dict[str, Any]]:
    found = []
    for labels in _labels(text):
        times = [t for t in range(math.ceil(start / step) * int(step), int(end) + 1, int(step)) if _known(text, t)]
        if not times:
            continue
        values = [value(text, labels, t) for t in times]
        entry: dict[str, Any] = {"query": index, "t": times, "v": values}
        if labels or not brief:
            entry["labels"] = labels
        if not brief:
            entry |= {
                "metric": re.split(r"[{(]", text)[0],
                "unit": "",
                "aggregate": "avg",
                "level": "raw",
                "step": step,
            }
        if envelope:
            entry["low"] = [None if v is None else round(v * 0.8, 3) for v in values]
            entry["high"] = [None if v is None else round(v * 1.25, 3) for v in values]
        found.append(entry)
    return found


def _labels(text: str) -> list[dict[str, str]]:
    if text.startswith("core"):
        return [{"core": str(core)} for core in range(_CORES)]
    if "probe_status" in text:
        return [{"probe": name} for name in ("disk", "loops", "resources", "store")]
    return [{}]


def _known(text: str, t: int) -> bool:
    if text.startswith("nothing"):
        return False
    return not (text.startswith("gap") and 4_000 <= _CLOCK.now() - t <= 5_000)


def value(text: str, labels: dict[str, str], t: float) -> float | None:
    """The number of a series at a time (Unix seconds)."""
    seed = zlib.crc32(repr((text, sorted(labels.items()))).encode()) % 1000
    wave = math.sin(t / 900 + seed) + 0.5 * math.sin(t / 133 + 2 * seed) + 0.4 * math.sin(t * 7.7 + seed)
    if "probe_status" in text:
        return 2.0 if labels["probe"] == "store" and int(t) % 7200 < 600 else 0.0
    if "p50" in text or "p95" in text or "p99" in text:
        base = {"p50": 0.045, "p95": 0.18, "p99": 0.36}[re.findall(r"p\d\d", text)[0]]
        return round(
            base * (1 + 0.08 * wave) * (1.9 if 2_000 < _CLOCK.now() - t < 2_900 and "p50" not in text else 1), 6
        )
    if "bytes" in text:
        return round(18e6 + 4e6 * wave + (30e6 if int(t) // 30 % 97 == 0 else 0))
    if "memory" in text:
        return round(83 + wave, 2)
    if "requests" in text:
        return round(60 + 9 * wave, 2)
    return round(37 + 6 * wave + seed % 10, 2)
