"""Notifications in a file, one JSON object a line; rotated by size."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from perf.alerts.channels.port import ChannelError, Message
from perf.alertsettings import AlertSettings
from perf.errors import SettingsError
from perf.ports import Clock


class FileChannel:
    """Appends; ``alerts.log`` becomes ``alerts.log.1`` when the next message would make it too large."""

    def __init__(self, settings: AlertSettings, _clock: Clock) -> None:
        """Raises: SettingsError without a path."""
        if not settings.file.path:
            raise SettingsError("the channel file is not set up: alerts.file.path")
        self._settings = settings.file
        self._path = Path(settings.file.path)

    def send(self, message: Message) -> None:
        """Append every notification of *message*; on the disk when it returns. Raises: ChannelError."""
        lines = b"".join(msgspec.json.encode(one) + b"\n" for one in message.notifications)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._path.exists() and self._path.stat().st_size + len(lines) > self._settings.limit:
                self._rotate()
            with self._path.open("ab") as file:
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise ChannelError(f"{self._path}: {error.strerror}") from error

    def _rotate(self) -> None:
        for number in range(self._settings.keep - 1, 0, -1):
            older = self._numbered(number)
            if older.exists():
                older.replace(self._numbered(number + 1))
        self._path.replace(self._numbered(1))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")
