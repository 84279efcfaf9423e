"""Signatures of webhooks as in Standard Webhooks: what a receiver needs to know that a message is ours, and new."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping

from perf.errors import SettingsError

TOLERANCE = 300.0
"""Seconds that a receiver lets a signature be old or early."""
_PREFIX = "whsec_"


def headers(identifier: str, ts: float, body: bytes, secrets: Iterable[str]) -> dict[str, str]:
    """The three headers; with two *secrets* two signatures, so that a receiver may change over when it likes.

    Raises: SettingsError for a secret that isn't base64. standardwebhooks.com, "Signature scheme".
    """
    stamp = str(int(ts))
    content = f"{identifier}.{stamp}.".encode() + body
    signed = [f"v1,{_signature(_key(secret), content)}" for secret in secrets]
    found = {"webhook-id": identifier, "webhook-timestamp": stamp}
    return {**found, "webhook-signature": " ".join(signed)} if signed else found


def verified(given: Mapping[str, str], body: bytes, secrets: Iterable[str], now: float) -> bool:
    """Whether the headers *given* sign *body* with one of *secrets*, not longer than `TOLERANCE` from *now*."""
    stamp = given.get("webhook-timestamp", "")
    if not stamp.isdecimal() or abs(now - int(stamp)) > TOLERANCE:
        return False
    content = f"{given.get('webhook-id', '')}.{stamp}.".encode() + body
    wanted = [_signature(_key(secret), content) for secret in secrets]
    found = [text.removeprefix("v1,") for text in given.get("webhook-signature", "").split() if text.startswith("v1,")]
    return any(hmac.compare_digest(a.encode(), b.encode()) for a in wanted for b in found)


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise SettingsError(f"alerts.webhook.secrets: a secret is written {_PREFIX} and base64") from None


def _signature(key: bytes, content: bytes) -> str:
    return base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
