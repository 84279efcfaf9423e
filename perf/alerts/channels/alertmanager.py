"""Alertmanager, both ways round: alerts for a running one (API v2), and the body that it sends to webhooks (version 4)."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime

import msgspec

from perf.alerts.channels.http import post
from perf.alerts.channels.port import Message
from perf.alerts.routing import DIGEST
from perf.alerts.step import GONE
from perf.alertsettings import AlertSettings
from perf.errors import SettingsError
from perf.model import Notification
from perf.ports import Clock

LASTS = 7 * 86_400.0
"""Alertmanager ends an alert that isn't repeated after five minutes, unless told when; we tell it when it is over."""
_SILENT = GONE
"""The notice of a silent series has a severity of its own, and nothing else ends it once its metric fires or is over."""
_NEVER = "0001-01-01T00:00:00Z"
_NO_NAME = re.compile(r"[^a-zA-Z0-9_]")


class AlertmanagerChannel:
    """Posts to ``/api/v2/alerts``; grouping, silences and receivers are Alertmanager's there."""

    def __init__(self, settings: AlertSettings, _clock: Clock) -> None:
        """Raises: SettingsError without an address."""
        if not settings.alertmanager.url:
            raise SettingsError("the channel alertmanager is not set up: alerts.alertmanager.url")
        self._settings = settings
        self._url = settings.alertmanager.url.rstrip("/").removesuffix("/api/v2/alerts") + "/api/v2/alerts"

    def send(self, message: Message) -> None:
        """Deliver *message*. Raises: ChannelError."""
        body = msgspec.json.encode([posted(one, self._settings.link) for one in message.notifications])
        post(self._url, body, {}, self._settings.targets)


def posted(one: Notification, link: str) -> dict[str, object]:
    """*one* for ``POST /api/v2/alerts``; an alert is known by its labels."""
    over = one.kind == "resolved"
    found: dict[str, object] = {"labels": labels(one), "annotations": remarks(one)}
    if not over:
        found["startsAt"] = _iso(one.created)
    lasts = _SILENT if one.kind == DIGEST else LASTS
    found["endsAt"] = _iso(one.created + (0.0 if over else lasts))
    return {**found, "generatorURL": link} if link else found


def webhook_body(message: Message, link: str) -> dict[str, object]:
    """*message* as Alertmanager's own webhooks are, version 4 (prometheus.io, Alerting, Configuration, webhook_config)."""
    every = [(labels(one), remarks(one)) for one in message.notifications]
    first = message.notifications[0]
    return {
        "version": "4",
        "groupKey": f'{{}}:{{alertname="{every[0][0]["alertname"]}"}}',
        "truncatedAlerts": 0,
        "status": "resolved" if message.resolved else "firing",
        "receiver": first.channel,
        "groupLabels": {"alertname": every[0][0]["alertname"]},
        "commonLabels": _common([known for known, _ in every]),
        "commonAnnotations": _common([known for _, known in every]),
        "externalURL": link,
        "alerts": [
            {
                "status": "resolved" if one.kind == "resolved" else "firing",
                "labels": known,
                "annotations": notes,
                "startsAt": _iso(one.created),
                "endsAt": _iso(one.created) if one.kind == "resolved" else _NEVER,
                "generatorURL": link,
                "fingerprint": hashlib.sha256(one.incident_id.encode()).hexdigest()[:16],
            }
            for one, (known, notes) in zip(message.notifications, every, strict=True)
        ],
    }


def labels(one: Notification) -> dict[str, str]:
    """The labels of *one* under names that Prometheus takes, with ``alertname`` and ``severity``."""
    own = {_name(name): value for name, value in one.labels if name != "rule" and value}
    return {**own, "alertname": dict(one.labels).get("rule", one.rule_id) or "perf", "severity": one.severity.value}


def remarks(one: Notification) -> dict[str, str]:
    """What people read about *one*."""
    found = {"summary": one.title, "description": one.text, "runbook_url": one.runbook}
    return {name: value for name, value in found.items() if value}


def _common(every: list[dict[str, str]]) -> dict[str, str]:
    return {name: value for name, value in every[0].items() if all(each.get(name) == value for each in every)}


def _name(name: str) -> str:
    clean = _NO_NAME.sub("_", name)
    return clean if not clean[:1].isdigit() else f"_{clean}"


def _iso(ts: float) -> str:
    return datetime.fromtimestamp(ts, UTC).isoformat().replace("+00:00", "Z")
