"""A route of the API as one value: what it takes and answers, who may ask, and an example. Routing, the check of who asks, and the
OpenAPI document all come from it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from perf.api.problem import ApiError
from perf.model.access import LOCAL, Principal, Scope
from perf.runtime import Runtime

Answerer = Callable[[Runtime, Request], Awaitable[Response]]
PRINCIPAL = "perf.principal"
"""Key of the ASGI scope under which the access middleware leaves who asks."""
ENDPOINT = "perf.endpoint"
"""Key of the ASGI scope under which routing leaves the endpoint that answers."""
PREFIX = "/api/v1"


class Param(msgspec.Struct, frozen=True, kw_only=True):
    """A query parameter: its *schema* is JSON Schema; *many* ones may repeat."""

    name: str
    schema: Mapping[str, Any]  # Any: JSON
    help: str
    many: bool = False
    required: bool = False


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A method of a path. *path* is below ``/api/v1`` unless it begins with ``//`` (then it is that path, with one slash)."""

    method: str
    path: str
    answer: Answerer
    needs: Scope
    summary: str
    query: tuple[Param, ...] = ()
    body: type | None = None
    """What a JSON body is decoded as; its name and fields are those of the document."""
    takes: tuple[str, ...] = ()
    """Media types of a body that is described elsewhere."""
    answers: Any = None  # Any: a type, or a JSON schema
    """What a JSON answer holds; a type, or JSON Schema."""
    media: tuple[str, ...] = ("application/json",)
    """What the answer may be; chosen by Accept."""
    status: int = 200
    example: str = ""
    """Path and query, or body, of an example: ``?limit=2``, ``/cpu?limit=2`` for a path that ends in a parameter, ``{"by": "you"}``."""
    creates: bool = False
    """Whether a repeated request would make a second thing: it may carry an ``Idempotency-Key``."""
    limited: bool = True
    """Whether requests count against the rate limit."""
    strict: bool = True
    """Whether an unknown query parameter is an error."""
    packed: bool = True
    """Whether a long answer is compressed; streams and files are not."""

    headers: tuple[Param, ...] = ()
    """Header fields that change what is done."""
    also: tuple[int, ...] = ()
    """Further statuses with the same answer."""

    @property
    def url(self) -> str:
        """The path from the root, with its parameters in braces."""
        return self.path[1:] if self.path.startswith("//") else PREFIX + self.path


def exampled(endpoint: Endpoint) -> tuple[str, str]:
    """The address (path and query) and the body of the example of *endpoint*."""
    place, brace, body = endpoint.example.partition("{")
    place = place.strip()
    fixed = endpoint.url.partition("/{")[0] if "{" in endpoint.url else endpoint.url
    return fixed + place, brace + body


def principal(request: Request) -> Principal:
    """Who asks, as the access middleware found out; everybody is local where there is none."""
    found: Principal = request.scope.get(PRINCIPAL, LOCAL)
    return found


def allow(request: Request, needs: Scope) -> Principal:
    """Who asks. Raises: ApiError 401 when nobody is signed in and *needs* is more than public, 403 when they may not."""
    who = principal(request)
    if who.may(needs):
        return who
    if who.via == "nobody":
        raise ApiError(401, f"sign in, or send an API key with the scope {needs.value!r}")
    raise ApiError(403, f"{who.name} has no scope {needs.value!r}")
