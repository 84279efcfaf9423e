"""The newest values as Prometheus text 0.0.4 and OpenMetrics 1.0.

Written directly: prometheus_client renders its own registry objects, which would have to be built for every request.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import TypeAlias

from perf.model import Kind, Labels, SeriesInfo

TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"

STALE_AFTER = 300.0
"""Seconds without a sample after which a series is left out: Prometheus's own look-back."""

Renderer: TypeAlias = Callable[..., bytes]
"""`text` or `openmetrics`."""

_UNITS = {"s": "seconds", "By": "bytes", "%": "percent", "1": "ratio", "Cel": "celsius", "V": "volts", "J": "joules"}
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")
_NOT_IN_NAME = re.compile(r"[^a-zA-Z0-9_:]")
_NOT_IN_LABEL = re.compile(r"[^a-zA-Z0-9_]")


def text(series: Iterable[SeriesInfo], *, now: float) -> bytes:
    """Prometheus text 0.0.4 of every series with a value not older than STALE_AFTER at *now* (Unix seconds).

    Distributions are left out: the store keeps what each interval observed, a scraper wants running totals. Names are made valid; values of label names that become equal are joined with ``;``. Counters end with ``_total``.
    """
    lines: list[str] = []
    for family in _families(series, now):
        if family.help:
            lines.append(f"# HELP {family.sample} {_escaped(family.help)}\n")
        lines.append(f"# TYPE {family.sample} {family.kind}\n")
        lines += family.lines()
    return "".join(lines).encode("utf-8", errors="replace")


def openmetrics(series: Iterable[SeriesInfo], *, now: float) -> bytes:
    """OpenMetrics 1.0 of the same series with the same names as `text`; a unit is named where the name ends with it."""
    lines: list[str] = []
    for family in _families(series, now):
        lines.append(f"# TYPE {family.name} {family.kind}\n")
        if family.unit and family.name.endswith(f"_{family.unit}"):
            lines.append(f"# UNIT {family.name} {family.unit}\n")
        if family.help:
            lines.append(f"# HELP {family.name} {_quoted(family.help)}\n")
        lines += family.lines()
    lines.append("# EOF\n")
    return "".join(lines).encode("utf-8", errors="replace")


def negotiate(accept: str) -> tuple[str, Renderer]:
    """Content type and renderer for an ``Accept`` header: OpenMetrics only for who names it and doesn't prefer text."""
    wanted = {"application/openmetrics-text": 0.0, "text/plain": 0.0}
    for part in accept.split(","):
        media, _, parameters = part.strip().partition(";")
        media = media.strip().lower()
        if media in wanted:
            wanted[media] = max(wanted[media], _quality(parameters))
    if wanted["application/openmetrics-text"] > 0 and wanted["application/openmetrics-text"] >= wanted["text/plain"]:
        return OPENMETRICS_TYPE, openmetrics
    return TEXT_TYPE, text


class _Family:
    """All series of one exposed name; *sample* is what their lines begin with, *wanted* the name before any clash."""

    def __init__(self, wanted: str, suffix: str, info: SeriesInfo) -> None:
        self.wanted = wanted
        self.name = wanted + suffix
        self.kind = info.metric.kind
        self.sample = f"{self.name}_total" if self.kind is Kind.COUNTER else self.name
        self.unit = _UNITS.get(info.metric.unit, info.metric.unit)
        self.help = info.metric.help
        self.values: dict[str, tuple[float, float]] = {}

    @property
    def names(self) -> set[str]:
        """The names that no other family may use."""
        return {self.name, f"{self.name}_total", f"{self.name}_created"} if self.kind is Kind.COUNTER else {self.name}

    def add(self, labels: Labels, ts: float, value: float) -> None:
        """Keep the newer one of two series that look the same once their names are valid."""
        shown = _labels(labels)
        if shown not in self.values or self.values[shown][0] < ts:
            self.values[shown] = (ts, value)

    def lines(self) -> list[str]:
        """One line a series."""
        return [f"{self.sample}{labels} {_number(value)}\n" for labels, (_, value) in self.values.items()]


def _families(series: Iterable[SeriesInfo], now: float) -> list[_Family]:
    """Fresh series by exposed name; a family whose name is taken by another kind gets its kind as a suffix."""
    families: dict[tuple[str, Kind], _Family] = {}
    for info in series:
        if info.last_ts is None or info.last_value is None or now - info.last_ts > STALE_AFTER:
            continue
        if info.metric.kind is Kind.HISTOGRAM:
            continue
        # One bad counter would make a scraper refuse the whole page.
        if info.metric.kind is Kind.COUNTER and not info.last_value >= 0:
            continue
        key = (info.metric.name, info.metric.kind)
        if key not in families:
            families[key] = _claimed(families, info)
        families[key].add(info.labels, info.last_ts, info.last_value)
    return sorted(set(families.values()), key=lambda family: family.name)


def _claimed(families: dict[tuple[str, Kind], _Family], info: SeriesInfo) -> _Family:
    """The family of *info*: a new one, or the one of the same kind that wanted the same name."""
    wanted = _metric_name(info.metric.name, info.metric.kind)
    family = _Family(wanted, "", info)
    number = 1
    while clash := next((other for other in families.values() if other.names & family.names), None):
        if (clash.wanted, clash.kind) == (wanted, family.kind):
            return clash
        number += 1
        suffix = f"_{family.kind}" if number == 2 else f"_{family.kind}_{number}"
        family = _Family(wanted, suffix, info)
    return family


def _metric_name(name: str, kind: Kind) -> str:
    """The name of the family: valid, and without ``_total`` for a counter."""
    if not _NAME.fullmatch(name):
        name = _NOT_IN_NAME.sub("_", name)
        name = name if _NAME.fullmatch(name) else f"_{name}"
    return name.removesuffix("_total") or "_" if kind is Kind.COUNTER else name


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    joined: dict[str, str] = {}
    for name, value in labels:
        shown = _label_name(name)
        joined[shown] = f"{joined[shown]};{value}" if shown in joined else value
    return "{" + ",".join(f'{name}="{_quoted(value)}"' for name, value in joined.items()) + "}"


def _label_name(name: str) -> str:
    """A valid label name; two leading underscores are reserved for scrapers."""
    if _LABEL.fullmatch(name):
        return name
    name = _NOT_IN_LABEL.sub("_", name)
    name = f"_{name.lstrip('_')}" if name.startswith("__") else name
    return name if _LABEL.fullmatch(name) else f"_{name}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n")


def _quoted(value: str) -> str:
    return _escaped(value).replace('"', '\\"')


def _number(value: float) -> str:
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"


def _quality(parameters: str) -> float:
    """The ``q`` of an ``Accept`` entry; 1 without one, 0 for one that isn't a number."""
    for parameter in parameters.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name.strip().lower() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
