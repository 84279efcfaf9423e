"""The promised names for rules and channels: what they mean beside the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from perf import settings
from perf.alerts import AlertConfig, AlertRule, AlertSeverity
from perf.alertsettings import AlertSettings, EmailSettings, FileSettings, SlackSettings, WebhookSettings
from perf.errors import RuleError

NAMED = EmailSettings(
    host="mail.example.org",
    port=465,
    security="tls",
    username="u",
    password="p",
    sender="perf@example.org",
    to=("a@x.org",),
)


def test_everything_that_is_named_stands_above_the_settings() -> None:
    config = AlertConfig(
        smtp_host="smtp.example.org",
        smtp_username="perf",
        smtp_password="secret",
        email_to=["ops@example.org", "on-call@example.org"],
        webhook_urls=["https://example.org/hook"],
        slack_webhook_url="https://hooks.example.org/x",
        alert_log_file=Path("alerts.log"),
    )
    found = config.over(AlertSettings(email=NAMED))
    assert found == AlertSettings(
        email=EmailSettings(
            host="smtp.example.org",
            port=587,
            security="starttls",
            username="perf",
            password="secret",
            sender="perf@example.org",
            to=("ops@example.org", "on-call@example.org"),
        ),
        webhook=WebhookSettings(urls=("https://example.org/hook",)),
        slack=SlackSettings(url="https://hooks.example.org/x"),
        file=FileSettings(path="alerts.log"),
    )


def test_recipients_go_to_the_server_of_the_settings() -> None:
    found = AlertConfig(email_to=["ops@example.org"]).over(AlertSettings(email=NAMED)).email
    assert (found.host, found.port, found.security, found.to) == ("mail.example.org", 465, "tls", ("ops@example.org",))


def test_a_server_that_a_program_names_never_gets_the_password_of_the_settings() -> None:
    found = AlertConfig(smtp_host="smtp.example.org").over(AlertSettings(email=NAMED)).email
    assert (found.host, found.username, found.password, found.to) == ("smtp.example.org", "", "", ("a@x.org",))


def test_one_address_is_one_and_not_its_letters() -> None:
    config = AlertConfig(email_to="ops@example.org", webhook_urls="https://example.org/hook")
    found = config.over(AlertSettings())
    assert (found.email.to, found.webhook.urls) == (("ops@example.org",), ("https://example.org/hook",))


def test_nothing_named_changes_nothing() -> None:
    loaded = settings.load(environ={"PERF_ALERT_EMAIL_RECIPIENTS": "a@x.org,b@x.org"}).alerts
    assert AlertConfig().over(loaded) == loaded


def test_a_severity_may_be_a_word_that_is_known() -> None:
    rule = AlertRule(name="deep", condition="name == 'depth' and value > 1", severity="high")  # type: ignore[arg-type]  # words, too
    assert rule.rule().severity is AlertSeverity.HIGH
    wrong = AlertRule(name="deep", condition="name == 'depth' and value > 1", severity="awful")  # type: ignore[arg-type]  # that is the point
    with pytest.raises(RuleError, match="deep: no severity 'awful'; known: low, medium, high, critical"):
        wrong.rule()
