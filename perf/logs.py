"""Log set-up: one line an event for people, or one JSON object a line. Called by entry points, never at import."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec

from perf.errors import SettingsError

if TYPE_CHECKING:
    from perf.settings import LogSettings

_TEXT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


class JsonFormatter(logging.Formatter):
    """One JSON object a record: ts (Unix seconds), level, logger, message, error."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        entry = {
            "ts": round(record.created, 3),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["error"] = self.formatException(record.exc_info)
        return msgspec.json.encode(entry).decode()


def configure(settings: LogSettings) -> None:
    """Send the loggers of perf and dashboard to stderr as *settings* say; other loggers are left alone.

    Raises: SettingsError for a level that logging doesn't know.
    """
    level = logging.getLevelNamesMapping().get(settings.level.upper())
    if level is None:
        raise SettingsError(f"logs.level: {settings.level!r}; known: DEBUG, INFO, WARNING, ERROR, CRITICAL")
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if settings.format == "json" else logging.Formatter(_TEXT))
    for name in ("perf", "dashboard"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(level)
        logger.propagate = False
