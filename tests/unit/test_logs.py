"""What the entry points log: one line an event, and never a secret."""

from __future__ import annotations

import json
import logging

import pytest

from perf import logs
from perf.alerts.redaction import RedactingFilter, Redactor
from perf.alertsettings import AlertSettings, EmailSettings, WebhookSettings
from perf.cachesettings import CacheSettings
from perf.settings import LogSettings, SendSettings, Settings

SETTINGS = Settings(
    alerts=AlertSettings(email=EmailSettings(password="hunter2!"), webhook=WebhookSettings(urls=("https://x.org/q1w2e3r4",))),
    cache=CacheSettings(redis_password="opensesame"),
    send=SendSettings(headers="api-key=z9y8x7"),
)  # fmt: skip


@pytest.mark.parametrize("style", ["text", "json"])
def test_no_secret_of_the_settings_reaches_the_log(style: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(LogSettings(format=style), RedactingFilter(Redactor(logs.secrets(SETTINGS))))
    try:
        raise ValueError("sign-in with hunter2! and api-key=z9y8x7")
    except ValueError:
        logging.getLogger("perf.any").exception("no way to %s with %s", "https://x.org/q1w2e3r4", "opensesame")
    written = capsys.readouterr().err
    assert not any(secret in written for secret in ("hunter2", "q1w2e3r4", "opensesame", "z9y8x7"))
    assert "no way to *** with ***" in written
    assert "Traceback" in written
    if style == "json":
        assert json.loads(written)["error"].endswith("ValueError: sign-in with *** and ***")


def test_arguments_that_do_not_fit_their_message_are_no_error_of_the_host(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(LogSettings(), RedactingFilter(Redactor(["hunter2!"])))
    logging.getLogger("perf.any").warning("%d of %d", "hunter2!")  # noqa: PLE1206 - that is the point.
    assert capsys.readouterr().err.endswith("perf.any: %d of %d ('***',)\n")
