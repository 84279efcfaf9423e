"""``/api/v1/keys`` and ``/api/v1/me``: keys of programs, and who asks."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from perf.api.bodies import answered, decoded
from perf.api.endpoint import Endpoint, principal
from perf.api.guard import SESSION
from perf.api.problem import ApiError
from perf.model.access import ApiKey, Scope
from perf.runtime import Runtime
from perf.views.keys import ApiKeyError, UnknownKey


class WantedKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The request for a key: what it is for, what it may do, and after how many seconds it ends (None: never)."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    scopes: Annotated[tuple[Scope, ...], msgspec.Meta(min_length=1, max_length=5)]
    seconds: Annotated[float, msgspec.Meta(gt=0, lt=1e10)] | None = None


class ShownKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as anybody may see it. Times in Unix seconds; *state* is valid, expired or revoked."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    author: str
    created: float
    expires: float | None
    last_used: float | None
    state: str


class ShownKeys(msgspec.Struct, frozen=True):
    """Every key, by time of making."""

    keys: list[ShownKey]


class MadeKey(ShownKey, frozen=True, kw_only=True):
    """A new key, with its text: nobody can read it again."""

    key: str


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, how they were recognised, and what they may do; *token* goes into X-CSRF-Token where a browser sends no Origin."""

    name: str
    via: str
    scopes: list[Scope]
    token: str = ""


class Ended(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The request to end every session of somebody."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


async def _list(runtime: Runtime, _: Request) -> Response:
    now = runtime.clock.now()
    return answered(ShownKeys([_shown(key, now) for key in await run_in_threadpool(runtime.access.keys.all)]))


async def _create(runtime: Runtime, request: Request) -> Response:
    wanted = await decoded(request, WantedKey, "a key")
    act = partial(runtime.access.keys.create, seconds=wanted.seconds, author=principal(request).name)
    try:
        key, text = await run_in_threadpool(act, wanted.name, wanted.scopes)
    except ApiKeyError as error:
        raise ApiError(422, str(error)) from error
    return answered(MadeKey(key=text, **msgspec.structs.asdict(_shown(key, runtime.clock.now()))), 201)


async def _revoke(runtime: Runtime, request: Request) -> Response:
    act = partial(runtime.access.keys.revoke, request.path_params["id"], author=principal(request).name)
    try:
        key = await run_in_threadpool(act)
    except UnknownKey as error:
        raise ApiError(404, str(error)) from error
    return answered(_shown(key, runtime.clock.now()))


async def _me(runtime: Runtime, request: Request) -> Response:
    who, session = principal(request), request.scope.get(SESSION)
    token = runtime.access.signer.token(session.id) if session is not None else ""
    scopes = [scope for scope in Scope if scope in who.scopes]
    return answered(Me(name=who.name, via=who.via, scopes=scopes, token=token))


async def _end(runtime: Runtime, request: Request) -> Response:
    ended = await decoded(request, Ended, "a name")
    act = partial(runtime.access.end_sessions, ended.name, author=principal(request).name)
    await run_in_threadpool(act)
    return Response(status_code=204)


def _shown(key: ApiKey, now: float) -> ShownKey:
    return ShownKey(
        id=key.id,
        name=key.name,
        scopes=key.scopes,
        author=key.author,
        created=key.created,
        expires=key.expires,
        last_used=key.last_used,
        state=key.state(now),
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/keys",
        answer=_list,
        needs=Scope.ADMIN,
        summary="Every API key, without its text",
        answers=ShownKeys,
    ),
    Endpoint(
        method="POST",
        path="/keys",
        answer=_create,
        needs=Scope.ADMIN,
        summary="Make an API key; its text is in this answer only",
        body=WantedKey,
        answers=MadeKey,
        status=201,
        example='{"name": "ci", "scopes": ["read", "ingest"], "seconds": 2592000}',
    ),
    Endpoint(
        method="DELETE",
        path="/keys/{id}",
        answer=_revoke,
        needs=Scope.ADMIN,
        summary="Let an API key open nothing from now on",
        answers=ShownKey,
        example="/0123456789ab",
    ),
    Endpoint(
        method="POST",
        path="/sessions/end",
        answer=_end,
        needs=Scope.ADMIN,
        summary="End every session that somebody has now",
        body=Ended,
        status=204,
        example='{"name": "ada"}',
    ),
    Endpoint(
        method="GET",
        path="/me",
        answer=_me,
        needs=Scope.PUBLIC,
        summary="Who asks, and what they may do",
        answers=Me,
    ),
)
