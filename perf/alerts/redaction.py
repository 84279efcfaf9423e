"""Takes secrets out of text before it is stored, logged or shown: the values we know, and what looks like one."""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus, urlsplit

HIDDEN = "***"
SHORTEST = 4
"""Shorter values are not looked for: they would eat ordinary words."""
_LONG = 8
"""Of an address, shorter pieces are not looked for by themselves."""

_PATTERNS = (
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,20}://)[^\s/@\"'<>]{1,500}@"), rf"\1{HIDDEN}@"),
    (re.compile(r"(?i)(https?://hooks\.slack\.com/)[^\s\"'<>]+"), rf"\1{HIDDEN}"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{6,}"), rf"\1 {HIDDEN}"),
    (re.compile(r"\bwhsec_[A-Za-z0-9+/=]+"), HIDDEN),
    (
        re.compile(
            r"(?i)(\b[a-z_-]{0,20}(?:password|passwd|secret|token|api_?key|routing_?key)[\"']?\s{0,3}[=:]\s{0,3})"
            r"(\"[^\"]*\"|'[^']*'|[^\s,;&\"']+)"
        ),
        rf"\1{HIDDEN}",
    ),
)


class Redactor:
    """Knows the secrets of the settings; a call gives a text without them."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """*secrets* are passwords, keys and whole addresses; of an address also the path, query and account are secret."""
        forms = {form for secret in secrets for part in _parts(secret) for form in _forms(part)}
        self._known = sorted((form for form in forms if len(form) >= SHORTEST), key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """*text* without secrets."""
        for value in self._known:
            text = text.replace(value, HIDDEN)
        for pattern, hidden in _PATTERNS:
            text = pattern.sub(hidden, text)
        return text


class RedactingFilter(logging.Filter):
    """On a handler: nothing it writes holds a secret, whichever library logged it."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def filter(self, record: logging.LogRecord) -> bool:
        """Replaces the message, the text of an exception and the stack, in place."""
        try:
            text = record.getMessage()
        except (
            TypeError,
            ValueError,
            KeyError,
        ):  # Arguments that don't fit: what logging only reports must not raise here.
            text = f"{record.msg} {record.args!r}"
        record.msg, record.args = self._redact(text), ()
        if record.exc_info:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
            record.exc_info = None
        if record.exc_text:
            record.exc_text = self._redact(record.exc_text)
        if record.stack_info:
            record.stack_info = self._redact(record.stack_info)
        return True


def _parts(secret: str) -> list[str]:
    if "://" not in secret:
        return [secret]
    try:
        url = urlsplit(secret)
        account = [url.username or "", url.password or ""]
    except ValueError:
        return [secret]
    tail = secret.partition("://")[2].partition("/")[2]
    pieces = [tail, url.query, *url.path.split("/")]
    return [secret, f"/{tail}", *account, *(piece for piece in pieces if len(piece) >= _LONG)]


def _forms(value: str) -> list[str]:
    """*value* as it may stand in a text: itself, percent-encoded, as base64 (SMTP) and as Python prints it."""
    encoded = base64.b64encode(value.encode()).decode()
    return [value, quote(value, safe=""), quote_plus(value), encoded, encoded.rstrip("="), repr(value)[1:-1]]
