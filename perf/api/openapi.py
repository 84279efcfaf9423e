"""The OpenAPI 3.1 document, made from the endpoints themselves, and the page that shows it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from perf import __version__
from perf.api import docs
from perf.api.endpoint import Endpoint, Param, exampled
from perf.api.params import MOST
from perf.api.parts import parts
from perf.api.problem import MEDIA_TYPE, Problem
from perf.model.access import Scope
from perf.runtime import Runtime

_Json = dict[str, Any]  # Any: JSON
_REF = "#/components/schemas/{name}"
_KEY = Param(
    name="Idempotency-Key",
    schema={"type": "string", "pattern": "^[!#-~]{1,200}$"},
    help="A repeated request with the same key is answered as the first one, and does nothing; kept for a day",
)
_PARAMETER = re.compile(r"\{(\w+)\}")
_ABOUT = (
    "Everything that the dashboard shows or does. Times are Unix seconds, durations seconds, sizes bytes. "
    "Errors are RFC 9457 problems. How often a client may ask stands in `RateLimit` and `RateLimit-Policy`."
)


def document(endpoints: Sequence[Endpoint], *, open_to_all: bool) -> _Json:
    """The document; *open_to_all* when nobody has to sign in."""
    types = [kind for one in endpoints for kind in (one.body, one.answers) if _is_type(kind)]
    schemas, components = msgspec.json.schema_components([*types, Problem], schema_hook=_anything, ref_template=_REF)
    of = dict(zip([*map(_key, types), _key(Problem)], schemas, strict=True))
    paths: dict[str, _Json] = {}
    for one in endpoints:
        paths.setdefault(one.url, {})[one.method.lower()] = _operation(one, of, open_to_all=open_to_all)
    return {
        "openapi": "3.1.0",
        "info": {"title": "perf", "version": __version__, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key, or the owner's token"}
            },
        },
        "tags": [{"name": tag} for tag in dict.fromkeys(map(tag, endpoints))],
    }


def tag(one: Endpoint) -> str:
    """The first word of the path: what operations are grouped by."""
    words = one.url.strip("/").split("/")
    if words[0] == "api":
        return words[2] if words[1] == "v1" else "older paths" if words[1] == "performance" else "this description"
    return {"v1": "otlp", "performance": "older paths"}.get(words[0], words[0])


def _operation(one: Endpoint, of: Mapping[str, _Json], *, open_to_all: bool) -> _Json:
    found: _Json = {
        "operationId": _name(one),
        "summary": one.summary,
        "tags": [tag(one)],
        "responses": _responses(one, of),
        "x-scope": one.needs.value,
    }
    headers = (*one.headers, *((_KEY,) if one.creates else ()))
    found["parameters"] = [
        *(
            {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
            for name in _PARAMETER.findall(one.url)
        ),
        *(_parameter(param, "query") for param in one.query),
        *(_parameter(param, "header") for param in headers),
    ]
    if one.needs is not Scope.PUBLIC:
        found["security"] = [{"key": []}, *([{}] if open_to_all else [])]
    if one.body is not None:
        schema = of[_key(one.body)]
        media: _Json = {"schema": schema}
        if body := exampled(one)[1]:
            media["example"] = msgspec.json.decode(body)
        found["requestBody"] = {"required": True, "content": {"application/json": media}}
    if one.takes:
        found["requestBody"] = {"required": True, "content": {media: _form(media) for media in one.takes}}
    return found


def _form(media: str) -> _Json:
    return (
        {"schema": {"type": "object"}} if media.endswith("json") else {"schema": {"type": "string", "format": "binary"}}
    )


def _responses(one: Endpoint, of: Mapping[str, _Json]) -> _Json:
    answer: _Json = {"description": one.summary}
    if one.status not in (204, 307):
        schema = {} if one.answers is None else of[_key(one.answers)] if _is_type(one.answers) else one.answers
        answer["content"] = {
            media: {"schema": schema} if media.endswith("json") and schema else {} for media in one.media
        }
    # What takes another protocol's messages refuses them in that protocol's words.
    problem = {"content": {MEDIA_TYPE: {"schema": of[_key(Problem)]}, **{media: {} for media in one.takes}}}
    found = {str(status): answer for status in (one.status, *one.also)}
    if any(param.name == "If-None-Match" for param in one.headers) and one.method == "GET":
        found["304"] = {"description": "It is what you have"}
    return {
        **found,
        "4XX": {"description": "The request is refused", **problem},
        "5XX": {"description": "Something failed", **problem},
    }


def _parameter(param: Param, place: str) -> _Json:
    schema: _Json = {"type": "array", "items": dict(param.schema)} if param.many else dict(param.schema)
    if param.many:
        schema |= {"minItems": int(param.required), "maxItems": MOST}
    found = {"name": param.name, "in": place, "description": param.help, "schema": schema}
    return found | {"required": True} if param.required else found


def _anything(_kind: type) -> _Json:
    """Cells of SQL may be of any type."""
    return {"description": "Any JSON value"}


def _is_type(kind: object) -> bool:
    return kind is not None and not isinstance(kind, Mapping)


def _key(kind: object) -> str:
    return repr(kind)


def _name(one: Endpoint) -> str:
    words = [word.strip("{}") for word in one.url.removeprefix("/api/v1").split("/") if word]
    return "_".join([one.method.lower(), *words])


async def _document(runtime: Runtime, request: Request) -> Response:
    # Not who asks: a key is taken, too, where nobody has to sign in.
    make = partial(document, parts(request).endpoints, open_to_all=not runtime.access.guarded)
    content = msgspec.json.encode(await run_in_threadpool(make))
    return Response(content, media_type="application/json", headers={"cache-control": "no-store"})


async def _page(_runtime: Runtime, request: Request) -> Response:
    content = await run_in_threadpool(docs.page, parts(request).endpoints)
    return Response(content, media_type="text/html", headers={"content-security-policy": docs.POLICY})


async def _style(_runtime: Runtime, _request: Request) -> Response:
    return Response(docs.style(), media_type="text/css", headers={"cache-control": "max-age=3600"})


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="//api/openapi.json",
        answer=_document,
        needs=Scope.READ,
        summary="This interface as an OpenAPI 3.1 document",
        answers={"type": "object", "required": ["openapi", "info", "paths"]},
    ),
    Endpoint(
        method="GET",
        path="//api/docs",
        answer=_page,
        needs=Scope.READ,
        summary="This interface as a page",
        media=("text/html",),
    ),
    Endpoint(
        method="GET",
        path="//api/docs.css",
        answer=_style,
        needs=Scope.PUBLIC,
        summary="The look of that page",
        media=("text/css",),
    ),
)
