"""Notifications in perf's own log."""

from __future__ import annotations

import logging

from perf.alerts.channels.port import Message
from perf.alertsettings import AlertSettings
from perf.ports import Clock

_log = logging.getLogger("perf.alerts")


class LogChannel:
    """One line each: a warning while it fires, else for information."""

    def __init__(self, _settings: AlertSettings, _clock: Clock) -> None:
        pass

    def send(self, message: Message) -> None:
        """Log every notification of *message*."""
        for one in message.notifications:
            level = logging.INFO if one.kind == "resolved" else logging.WARNING
            _log.log(level, "%s: %s", one.title, one.text.replace("\n", " "))
