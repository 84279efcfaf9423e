"""Log set-up: one line an event for people, or one JSON object a line. Called by entry points, never at import."""

from __future__ import annotations

import logging
from operator import attrgetter

import msgspec

from perf.errors import SettingsError
from perf.settings import LogSettings, Settings, describe

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
        error = self.formatException(record.exc_info) if record.exc_info else record.exc_text
        if error:
            entry["error"] = error
        return msgspec.json.encode(entry).decode()


def secrets(settings: Settings) -> list[str]:
    """Every value in *settings* that no log may hold."""
    found = (attrgetter(described.key)(settings) for described in describe() if described.secret)
    return [text for value in found for text in ([value] if isinstance(value, str) else value) if text]


def configure(settings: LogSettings, redacting: logging.Filter) -> None:
    """Send the loggers of perf and dashboard to stderr as *settings* say, through *redacting*; other loggers are left alone.

    Raises: SettingsError for a level that logging doesn't know.
    """
    level = logging.getLevelNamesMapping().get(settings.level.upper())
    if level is None:
        raise SettingsError(f"logs.level: {settings.level!r}; known: DEBUG, INFO, WARNING, ERROR, CRITICAL")
    handler = logging.StreamHandler()
    handler.addFilter(redacting)
    handler.setFormatter(JsonFormatter() if settings.format == "json" else logging.Formatter(_TEXT))
    for name in ("perf", "dashboard"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(level)
        logger.propagate = False
