"""Incidents in PagerDuty, through its Events API v2."""

from __future__ import annotations

import socket
from datetime import UTC, datetime

import msgspec

from perf.alerts.channels.http import post
from perf.alerts.channels.port import Message
from perf.alertsettings import AlertSettings
from perf.errors import SettingsError
from perf.model import Notification
from perf.ports import Clock

_SEVERITIES = {"low": "info", "medium": "warning", "high": "error", "critical": "critical"}


class PagerDutyChannel:
    """One event an incident, under its id: sent twice it is still one incident there."""

    def __init__(self, settings: AlertSettings, _clock: Clock) -> None:
        """Raises: SettingsError without a key."""
        if not settings.pagerduty.routing_key:
            raise SettingsError("the channel pagerduty is not set up: alerts.pagerduty.routing_key")
        self._settings = settings

    def send(self, message: Message) -> None:
        """Deliver *message*. Raises: ChannelError."""
        duty = self._settings.pagerduty
        for one in message.notifications:
            post(
                duty.url,
                msgspec.json.encode(event(one, duty.routing_key, self._settings.link)),
                {},
                self._settings.targets,
            )


def event(one: Notification, routing_key: str, link: str) -> dict[str, object]:
    """*one* as an event: triggers, or resolves what was triggered."""
    found: dict[str, object] = {
        "routing_key": routing_key,
        "event_action": "resolve" if one.kind == "resolved" else "trigger",
        "dedup_key": one.incident_id or one.id,
    }
    if one.kind == "resolved":
        return found
    links = [(link, "Dashboard"), (one.runbook, "What to do")]
    return {
        **found,
        "client": "perf",
        "links": [{"href": href, "text": text} for href, text in links if href.startswith(("http://", "https://"))],
        "payload": {
            "summary": one.title[:1024],
            "severity": _SEVERITIES[one.severity.value],
            "source": dict(one.labels).get("host.name") or socket.gethostname(),
            "timestamp": datetime.fromtimestamp(one.created, UTC).isoformat(),
            "custom_details": {"text": one.text, "value": one.value, **dict(one.labels)},
        },
    }
