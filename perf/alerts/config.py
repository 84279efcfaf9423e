"""The promised names for rules and channels: small, for people; each turns into what the rest of perf works with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path

import msgspec

from perf.alerts import files
from perf.alertsettings import AlertSettings
from perf.errors import RuleError
from perf.model import AlertRule as Rule
from perf.model import Severity

_replace = msgspec.structs.replace


class AlertChannel(StrEnum):
    """Where a notification may go."""

    EMAIL = "email"
    SLACK = "slack"
    WEBHOOK = "webhook"
    ALERTMANAGER = "alertmanager"
    PAGERDUTY = "pagerduty"
    FILE = "file"
    LOG = "log"
    APPRISE = "apprise"


class AlertRule(msgspec.Struct, frozen=True, kw_only=True):
    """A threshold rule in a few words; everything else is as `perf.model.AlertRule` has it by default.

    *message_template* may name ``{value}`` with a format, ``{name}``, ``{severity}``, ``{since}`` and ``{labels.<label>}``.
    """

    name: str
    condition: str
    severity: Severity = Severity.MEDIUM
    channels: Sequence[AlertChannel | str] = ()
    message_template: str = ""
    cooldown_minutes: float = 15.0
    for_minutes: float = 0.0
    enabled: bool = True

    def rule(self) -> Rule:
        """The same as a rule that can be stored. Raises: RuleError for a severity that there isn't."""
        return Rule(
            id=files.identity(self.name),
            name=self.name,
            condition=self.condition,
            severity=_severity(self.name, self.severity),
            channels=tuple(str(channel) for channel in self.channels),
            message=self.message_template,
            cooldown=60.0 * self.cooldown_minutes,
            for_seconds=60.0 * self.for_minutes,
            enabled=self.enabled,
        )


class AlertConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses of the channels, where a program names them itself instead of in ``perf.toml`` or ``PERF_`` variables."""

    smtp_host: str = ""
    smtp_port: int = 587
    smtp_username: str = ""
    smtp_password: str = ""
    smtp_security: str = "starttls"
    email_from: str = ""
    email_to: Sequence[str] = ()
    webhook_urls: Sequence[str] = ()
    slack_webhook_url: str = ""
    alert_log_file: Path | str | None = None

    def __repr__(self) -> str:
        """Which channels there are: the addresses and the password are secrets."""
        named = [name for name in self.__struct_fields__ if getattr(self, name)]
        return f"AlertConfig({', '.join(named)})"

    def over(self, settings: AlertSettings) -> AlertSettings:
        """*settings* with what is named here, and otherwise as they are. A server named here never gets the settings' password."""
        account = {"username": self.smtp_username, "password": self.smtp_password}
        server = {"host": self.smtp_host, "port": self.smtp_port, "security": self.smtp_security, **account}
        email = _named({"sender": self.email_from, "to": _each(self.email_to), **account})
        return _replace(
            settings,
            email=_replace(settings.email, **(email | server if self.smtp_host else email)),
            webhook=_replace(settings.webhook, **_named({"urls": _each(self.webhook_urls)})),
            slack=_replace(settings.slack, **_named({"url": self.slack_webhook_url})),
            file=_replace(settings.file, **_named({"path": str(self.alert_log_file or "")})),
        )


def _each(addresses: Sequence[str]) -> tuple[str, ...]:
    """*addresses*, or the one that was given instead of a list: its letters are none."""
    return (addresses,) if isinstance(addresses, str) and addresses else tuple(addresses)


def _named(values: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value}


def _severity(name: str, said: str) -> Severity:
    """Raises: RuleError."""
    if said not in tuple(Severity):
        raise RuleError(f"{name}: no severity {said!r}; known: {', '.join(Severity)}")
    return Severity(said)
