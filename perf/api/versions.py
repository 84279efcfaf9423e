"""Versions of a resource as entity tags: a reader asks for what is new to it, a writer changes what it has seen (RFC 9110, 13)."""

from __future__ import annotations

import hashlib

import msgspec
from starlette.requests import Request
from starlette.responses import Response


def tag(content: object) -> str:
    """The strong entity tag of *content*."""
    return f'"{hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()[:20]}"'


def versioned(request: Request, content: object, status: int = 200) -> Response:
    """*content* as JSON with its tag; 304 without it for a reader that has it."""
    version = tag(content)
    headers = {"cache-control": "no-cache", "etag": version}
    reads = request.method in ("GET", "HEAD")
    if reads and "if-none-match" in request.headers and named(request.headers["if-none-match"], version, weak=True):
        return Response(status_code=304, headers=headers)
    return Response(msgspec.json.encode(content), status, media_type="application/json", headers=headers)


def named(header: str, version: str, *, weak: bool = False) -> bool:
    """Whether the list of tags in *header* has *version*, or is ``*``; *weak* ones count only for readers."""
    tags = [one.strip() for one in header.split(",")]
    return "*" in tags or version in tags or (weak and f"W/{version}" in tags)
