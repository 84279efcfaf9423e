"""Notifications as JSON to any HTTP receiver, signed as in Standard Webhooks."""

from __future__ import annotations

import msgspec

from perf.alerts import signing
from perf.alerts.channels.alertmanager import webhook_body
from perf.alerts.channels.http import post
from perf.alerts.channels.port import ChannelError, Message
from perf.alertsettings import AlertSettings
from perf.errors import SettingsError
from perf.ports import Clock


class WebhookChannel:
    """Each receiver gets every message; one that has taken it is left out when another needs a second try."""

    def __init__(self, settings: AlertSettings, clock: Clock) -> None:
        """Raises: SettingsError without an address, or for a broken secret."""
        if not settings.webhook.urls:
            raise SettingsError("the channel webhook is not set up: alerts.webhook.urls")
        signing.headers("", 0.0, b"", settings.webhook.secrets)
        self._settings = settings
        self._clock = clock
        self._taken: tuple[str, set[str]] = ("", set())

    def send(self, message: Message) -> None:
        """Deliver *message* to all. Raises: ChannelError, the first that may be tried again, if any."""
        hook = self._settings.webhook
        if self._taken[0] != message.id:
            self._taken = (message.id, set())
        old = hook.body == "alertmanager"
        body = msgspec.json.encode(webhook_body(message, self._settings.link) if old else payload(message))
        failures: list[ChannelError] = []
        for url in hook.urls:
            if url in self._taken[1]:
                continue
            try:
                post(
                    url,
                    body,
                    signing.headers(message.id, self._clock.now(), body, hook.secrets),
                    self._settings.targets,
                )
                self._taken[1].add(url)
            except ChannelError as error:
                failures.append(error)
        if failures:
            raise min(failures, key=lambda error: error.permanent)


def payload(message: Message) -> dict[str, object]:
    """*message* as a Standard Webhooks event: ``alert.firing``, ``alert.resolved``, ``alert.digest`` or ``alert.test``."""
    kinds = {one.kind for one in message.notifications}
    kind = kinds.pop() if len(kinds) == 1 else "digest"
    return {
        "type": f"alert.{kind}",
        "timestamp": message.notifications[0].created,
        "data": {
            "id": message.id,
            "title": message.title,
            "severity": message.severity,
            "notifications": [
                {**msgspec.to_builtins(one), "labels": dict(one.labels)} for one in message.notifications
            ],
        },
    }
