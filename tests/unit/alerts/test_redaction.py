from __future__ import annotations

import base64
import io
import logging
from urllib.parse import quote

import pytest

from perf.alerts.redaction import RedactingFilter, Redactor
from perf.alertsettings import AlertSettings, EmailSettings, PagerDutySettings, SlackSettings, secrets

HOOK = "https://hooks.example.org/services/T000/B000/abcdefghijklmnop?key=q1w2e3r4t5"


@pytest.mark.parametrize(
    "text",
    [
        "hunter2!",
        f"refused: {quote('hunter2!', safe='')}",
        base64.b64encode(b"hunter2!").decode(),
        f"no route to {HOOK}",
        "POST /services/T000/B000/abcdefghijklmnop?key=q1w2e3r4t5 failed",
        "token abcdefghijklmnop in a path",
    ],
)
def test_known_values_are_hidden_however_they_are_written(text: str) -> None:
    shown = Redactor(["hunter2!", HOOK])(text)
    assert not any(secret in shown for secret in ("hunter2", "abcdefghijklmnop", "q1w2e3r4t5", "aHVudGVy"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://me:pw@db:6379/0", "redis://***@db:6379/0"),
        ("Authorization: Bearer abc.def.ghi", "Authorization: Bearer ***"),
        ('{"password": "pw", "a": 1}', '{"password": ***, "a": 1}'),
        ("api_key=12345&x=1", "api_key=***&x=1"),
        ("https://hooks.slack.com/services/T1/B2/xyz", "https://hooks.slack.com/***"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8I", "***"),
        ("cpu is 85 %: tokens are fine", "cpu is 85 %: tokens are fine"),
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str, shown: str) -> None:
    assert Redactor()(text) == shown


def test_short_values_hide_no_ordinary_words() -> None:
    assert Redactor(["at"])("look at that") == "look at that"


def test_a_log_record_is_redacted_with_its_traceback() -> None:
    output = io.StringIO()
    handler = logging.StreamHandler(output)
    handler.addFilter(RedactingFilter(Redactor(["hunter2!"])))
    logger = logging.getLogger("tests.redaction")
    logger.addHandler(handler)
    try:
        raise ValueError("with hunter2!")
    except ValueError:
        logger.exception("no login for %s", "hunter2!")
    assert "hunter2" not in output.getvalue()
    assert "ValueError" in output.getvalue()


def test_every_secret_of_the_settings_is_known() -> None:
    settings = AlertSettings(
        email=EmailSettings(password="p1"), slack=SlackSettings(url="u1"), pagerduty=PagerDutySettings(routing_key="k1")
    )
    assert set(secrets(settings)) == {"p1", "u1", "k1"}
