"""Notifications through Apprise, for the services that have no channel here; only schemes that are listed."""

from __future__ import annotations

import importlib
from typing import Any

from perf.alerts.channels.port import ChannelError, Message
from perf.alertsettings import AlertSettings
from perf.errors import PluginError, SettingsError
from perf.ports import Clock


class AppriseChannel:
    """Where Apprise connects is its own affair: its services that take any address (json, form, ...) stay off the list."""

    def __init__(self, settings: AlertSettings, _clock: Clock) -> None:
        """Raises: SettingsError without addresses or for a scheme that isn't listed, PluginError without the package."""
        wanted, schemes = settings.apprise.urls, settings.apprise.schemes
        if not wanted:
            raise SettingsError("the channel apprise is not set up: alerts.apprise.urls")
        for url in wanted:
            scheme = url.partition("://")[0].lower()
            if scheme not in schemes:  # Never the whole address: it holds the key.
                known = ", ".join(sorted(schemes))
                raise SettingsError(
                    f"alerts.apprise.urls: {scheme[:20]!r} is not allowed; alerts.apprise.schemes: {known}"
                )
        try:
            apprise: Any = importlib.import_module("apprise")  # Any: optional, and not always there to be checked
        except ModuleNotFoundError as error:
            raise PluginError("the channel apprise needs a package that is missing: pip install apprise") from error
        self._sender = apprise.Apprise()
        for url in wanted:
            if not self._sender.add(url):
                raise SettingsError(f"alerts.apprise.urls: not an address of {url.partition('://')[0]}")

    def send(self, message: Message) -> None:
        """Deliver *message*. Raises: ChannelError: Apprise says only that it failed."""
        body = "\n\n".join(f"{one.title}\n{one.text}" for one in message.notifications)
        kind = "success" if message.resolved else "warning"
        if not self._sender.notify(title=message.title, body=body, notify_type=kind):
            raise ChannelError("a service did not take it; Apprise's log says which")
