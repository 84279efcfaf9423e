"""OpenTelemetry names and units as ours, and back. Pure.

Dots become underscores and the base unit is appended: ``http.server.request.duration`` in ``s`` is
``http_server_request_duration_seconds``; multiples (``ms``, ``KiBy``) become base units.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from perf.model import Kind, Labels, Metric

VALUE_LENGTH = 1_024
"""Characters of a label value that are kept."""
NAME_LENGTH = 255

_NOT_IN_NAME = re.compile(r"[^a-zA-Z0-9_]+")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}
_BYTES = {"By": 1, "kBy": 10**3, "MBy": 10**6, "GBy": 10**9, "KiBy": 2**10, "MiBy": 2**20, "GiBy": 2**30}
_UNITS: Mapping[str, tuple[str, str, float]] = {
    **{unit: ("seconds", "s", factor) for unit, factor in _SECONDS.items()},
    **{unit: ("bytes", "By", float(factor)) for unit, factor in _BYTES.items()},
    "%": ("percent", "%", 1.0),
    "Cel": ("celsius", "Cel", 1.0),
    "J": ("joules", "J", 1.0),
    "V": ("volts", "V", 1.0),
}

_CONVENTIONS = {
    "http_server_request_duration_seconds": "http.server.request.duration",
    "http_server_active_requests": "http.server.active_requests",
    "http_client_request_duration_seconds": "http.client.request.duration",
    "db_client_operation_duration_seconds": "db.client.operation.duration",
}
"""Ours -> OpenTelemetry's, for the metrics that have a convention; `metric` turns each back."""

_ATTRIBUTES = {
    "http_request_method": "http.request.method",
    "http_response_status_code": "http.response.status_code",
    "http_route": "http.route",
    "db_system": "db.system",
    "db_operation": "db.operation",
    "db_collection": "db.collection",
    "db_query_summary": "db.query.summary",
    "server_address": "server.address",
    "error_type": "error.type",
}
RELEASE = "service.version"
"""The attribute of a resource that says what is deployed."""
_RESOURCE = {"service": "service.name", "host": "host.name"}


class Meaning(msgspec.Struct, frozen=True):
    """A metric of ours and what its values on the wire are multiplied with."""

    metric: Metric
    factor: float


def metric(name: str, unit: str, kind: Kind, help_: str = "") -> Meaning:
    """What a metric *name* in *unit* (UCUM) is here."""
    plain = cleaned(name).removesuffix("_total") if kind is Kind.COUNTER else cleaned(name)
    word, base, factor = _UNITS.get(unit, ("", unit, 1.0))
    if unit == "1" and kind is Kind.GAUGE:
        word = "ratio"
    if word and not plain.endswith(f"_{word}"):
        plain = f"{plain}_{word}"
    if kind is Kind.COUNTER:
        plain = f"{plain}_total"
    return Meaning(Metric(plain, kind, base, help_), factor)


def labels(pairs: Iterable[tuple[str, str]]) -> Labels:
    """Label pairs, sorted by name; of names that become equal the later wins. Empty values are no label."""
    kept = {cleaned(name): value[:VALUE_LENGTH] for name, value in pairs}
    return tuple(sorted((name, value) for name, value in kept.items() if value))


def resource_labels(attributes: Mapping[str, str]) -> dict[str, str]:
    """The labels that a resource gives to everything it sends: ``service`` and ``host``."""
    return {label: attributes[name] for label, name in _RESOURCE.items() if attributes.get(name)}


def cleaned(name: str) -> str:
    """*name* with underscores for what a name here can't have."""
    kept = _NOT_IN_NAME.sub("_", name)[:NAME_LENGTH] or "_"
    return f"_{kept}" if kept[0].isdigit() else kept


def outside(name: str) -> str:
    """The name that other OpenTelemetry programs know for a metric of ours."""
    return _CONVENTIONS.get(name, name)


def attribute(label: str) -> str:
    """The attribute that other OpenTelemetry programs know for a label of ours."""
    return _ATTRIBUTES.get(label, label)


def is_additive(measured: Metric) -> bool:
    """Whether a gauge counts things (its unit is ``{request}``, say), so that those of several processes add up."""
    return measured.kind is Kind.GAUGE and measured.unit.startswith("{")
