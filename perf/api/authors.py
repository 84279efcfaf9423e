"""Under whose name something is done."""

from __future__ import annotations

from starlette.requests import Request

from perf.api.endpoint import principal
from perf.model.access import LOCAL


def author(request: Request, named: str | None = None) -> str:
    """The name of whoever asks; the one that they *named* where nobody signs in, and who asks is only known to be local."""
    who = principal(request)
    return named if named is not None and who.via == LOCAL.via else who.name
