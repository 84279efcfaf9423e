"""Values as cells of a CSV file that a spreadsheet may open."""

from __future__ import annotations

import msgspec

_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n")


def safe(value: object) -> object:
    """*value* as CSV takes it: nested values as JSON, and text that would run as a formula behind an apostrophe."""
    if isinstance(value, (dict, list)):
        return msgspec.json.encode(value).decode()
    return f"'{value}" if isinstance(value, str) and value.startswith(_DANGEROUS) else value
