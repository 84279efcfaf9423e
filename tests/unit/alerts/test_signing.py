from __future__ import annotations

import base64

import pytest

from perf.alerts.signing import headers, verified
from perf.errors import SettingsError

OLD, NEW = ("whsec_" + base64.b64encode(bytes([n]) * 24).decode() for n in (1, 2))


def test_signature_is_that_of_the_standards_example() -> None:
    # github.com/standard-webhooks/standard-webhooks, the test vector of its libraries.
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    found = headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330.9, b'{"test": 2432232314}', [secret])
    assert found["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert found["webhook-timestamp"] == "1614265330"


def test_either_of_two_secrets_verifies_and_another_does_not() -> None:
    found = headers("m1", 1000.0, b"{}", [OLD, NEW])
    assert verified(found, b"{}", [OLD], 1000.0)
    assert verified(found, b"{}", [NEW], 1000.0)
    assert not verified(found, b"{ }", [OLD, NEW], 1000.0)
    assert not verified(found, b"{}", ["whsec_" + base64.b64encode(b"x" * 24).decode()], 1000.0)


def test_an_old_signature_is_refused() -> None:
    assert not verified(headers("m1", 1000.0, b"{}", [OLD]), b"{}", [OLD], 1301.0)


def test_a_broken_secret_is_not_shown() -> None:
    with pytest.raises(SettingsError) as refused:
        headers("m", 0.0, b"", ["whsec_not base64!"])
    assert "not base64!" not in str(refused.value)
