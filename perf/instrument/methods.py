"""HTTP methods as label values."""

from __future__ import annotations

OTHER_METHOD = "_OTHER"

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"})


def known_method(method: str) -> str:
    """*method*, or one value for all others: a client may send what it likes."""
    return method if method in _METHODS else OTHER_METHOD
