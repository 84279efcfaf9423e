"""Keys of programs: ``perf_<id>_<secret>``. Only a digest is kept; the id finds it, so that nothing is tried in turn."""

from __future__ import annotations

import hashlib
import re
import secrets

PREFIX = "perf_"
_FORM = re.compile(r"perf_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")


def made() -> tuple[str, str, str]:
    """A new key: its id, the whole key (shown once), and its digest."""
    id_ = secrets.token_hex(6)
    key = f"{PREFIX}{id_}_{secrets.token_urlsafe(32)}"
    return id_, key, digest(key)


def digest(key: str) -> str:
    """SHA-256 of *key* in hex: enough for 256 random bits, which nobody can guess, and quick enough for every request."""
    return hashlib.sha256(key.encode()).hexdigest()


def id_of(key: str) -> str:
    """The id in *key*; empty when it isn't formed like one of ours."""
    found = _FORM.fullmatch(key)
    return found[1] if found else ""
