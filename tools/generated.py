"""A part of a document that the code itself writes, between two marks: written anew, or only compared."""

from __future__ import annotations

import sys
from pathlib import Path


def renew(document: Path, begin: str, end: str, made: str, *, check: bool) -> int:
    """Have *made* stand between the lines *begin* and *end* of *document*, or with *check* only compare.

    1 when the marks are missing, or what is compared is old; standard error says so.
    """
    text = document.read_text(encoding="utf-8") if document.exists() else ""
    before, opened, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not opened or not closed:
        print(f"{document.name} has no lines {begin} and {end}", file=sys.stderr)
        return 1
    fresh = f"{before}{begin}\n{made}\n{end}{after}"
    if check and fresh != text:
        print(f"{document.name}: what stands between {begin} and {end} is old: make fix", file=sys.stderr)
        return 1
    if fresh != text:
        document.write_text(fresh, encoding="utf-8")
    return 0
