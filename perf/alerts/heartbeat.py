"""A dead-man's switch: somebody else is told that alerting works, and notices when that stops."""

from __future__ import annotations

import logging
import threading

import msgspec

from perf.alerts.channels.http import post
from perf.alerts.channels.port import ChannelError
from perf.alerts.redaction import Redactor
from perf.alertsettings import AlertSettings, secrets
from perf.ports import Clock

_log = logging.getLogger(__name__)


class Heartbeat:
    """`beat` is called after a turn that evaluated the rules and stored the result; never by a timer, which would lie."""

    def __init__(self, settings: AlertSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._redact = Redactor(secrets(settings))
        self._next = 0.0
        self._thread: threading.Thread | None = None
        self.failures = 0
        self.sent = 0

    def beat(self) -> None:
        """Tell the address, unless it was told within the interval or is still being told; does not wait."""
        now = self._clock.monotonic()
        if not self._settings.heartbeat.url or now < self._next:
            return
        if self._thread is not None and self._thread.is_alive():
            return
        self._next = now + self._settings.heartbeat.interval
        self._thread = threading.Thread(target=self._send, name="perf-heartbeat", daemon=True)
        self._thread.start()

    def _send(self) -> None:
        body = msgspec.json.encode({"service": "perf", "status": "ok", "timestamp": self._clock.now()})
        try:
            post(self._settings.heartbeat.url, body, {}, self._settings.targets)
            self.sent += 1
            self.failures = 0
        except ChannelError as error:
            self.failures += 1
            if self.failures == 1:
                _log.warning("the heartbeat was not taken: %s", self._redact(str(error)))
