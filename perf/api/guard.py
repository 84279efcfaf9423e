"""Stands before everything on the port, Streamlit's websocket included: finds out who asks, and turns away who may not."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable, Mapping
from functools import partial
from urllib.parse import quote

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request, cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as Asgi

from perf.access.origins import SAFE, Place, Proxies, foreign, unproven
from perf.access.sessions import COOKIE, Session
from perf.actor import Actor, acting
from perf.api import problem
from perf.api.endpoint import PRINCIPAL
from perf.api.needs import Kind, Rule, Rules
from perf.errors import StoreError
from perf.model.access import LOCAL, NOBODY, Principal, Scope
from perf.views.access import Access

SESSION = "perf.session"
"""Key of the ASGI scope of the session behind a request, if there is one."""
HOLDS = "perf.holds"
"""Key of the ASGI scope of what tells whether who asks may still ask that; it may block."""
LOOK_AGAIN = 5.0
"""Seconds between two looks at whether who has a websocket or a stream open may still have it."""
_CORS_SECONDS = 600
_READABLE = "ETag, Link, Location, RateLimit, RateLimit-Policy, Retry-After, X-Request-ID"


class Asker(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks; *session* of a person, *bad* when what they showed opens nothing, *ambient* when their browser adds it by itself."""

    who: Principal
    session: Session | None = None
    ambient: bool = False
    bad: bool = False


class Guard:
    """Leaves who asks in the scope, and passes on only what they may ask."""

    def __init__(self, app: ASGIApp, access: Access, rules: Rules, base: str = "") -> None:
        """*base* is the path that Streamlit's routes lie below, if any."""
        self._app, self._access, self._rules = app, access, rules
        self._base = f"/{base.strip('/')}" if base.strip("/") else ""
        self._proxies = Proxies(access.settings.proxies)
        self._allowed = frozenset(access.settings.origins)
        url = access.settings.url.split("/")
        self._own = frozenset({"/".join(url[:3])}) if access.settings.url else frozenset()

    async def __call__(self, scope: Asgi, receive: Receive, send: Send) -> None:
        """Pass on, or refuse."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers: Mapping[str, str] = {key.lower(): value for key, value in Headers(scope=scope).items()}
        peer = scope["client"][0] if scope.get("client") else ""
        place = self._proxies.place(peer, _web(scope["scheme"]), headers)
        method = scope["method"] if scope["type"] == "http" else "GET"
        rule = self._rules.rule(method, self._path(scope))
        if rule.kind is not Kind.SOCKET and scope["type"] == "websocket":
            rule = Rule(method=method, path=rule.path, needs=max(rule.needs, Scope.READ, key=_rank), kind=Kind.SOCKET)
        try:
            asker = await self._found(headers)
            refusal = self._refusal(rule, asker, place, headers, method)
        except StoreError as error:
            # Not 401: a program would take it for the end of its key, and drop what it has.
            asker, refusal = Asker(who=NOBODY), (503, f"nobody can tell now who asks: {error}")
        if refusal is not None and rule.needs is Scope.PUBLIC:
            asker, refusal = Asker(who=NOBODY), None
        port = scope["client"][1] if scope.get("client") else 0
        holds = partial(self._holds, headers, rule.needs)
        scope = {**scope, PRINCIPAL: asker.who, SESSION: asker.session, HOLDS: holds, "client": (place.address, port)}
        scope["scheme"] = place.scheme if scope["type"] == "http" else scope["scheme"]
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send, refused=refusal is not None)
        else:
            await self._request(scope, receive, self._shared(send, headers), rule, refusal)

    def _path(self, scope: Asgi) -> str:
        path: str = scope["path"]
        return path.removeprefix(self._base) or "/" if path.startswith(f"{self._base}/") or path == self._base else path

    async def _found(self, headers: Mapping[str, str]) -> Asker:
        """Who asks. Raises: StoreError."""
        # A question to an owner elsewhere must not hold up the event loop, and with it every page.
        return await run_in_threadpool(self._asker, headers) if self._access.slow else self._asker(headers)

    def _holds(self, headers: Mapping[str, str], needs: Scope) -> bool:
        """Whether who asked with *headers* may still do what *needs* that."""
        try:
            return self._asker(headers).who.may(needs)
        except StoreError:
            return True  # It held when it began; the next look tells more.

    def _asker(self, headers: Mapping[str, str]) -> Asker:
        guarded = self._access.guarded
        key, ours = _key(headers)
        if key:
            who = self._access.program(key)
            if who is not None:
                return Asker(who=who)
            # Where nobody has to, a token for somebody else (a collector's) is none of our business.
            if guarded or ours:
                return Asker(who=NOBODY, bad=True)
        if not guarded:
            return Asker(who=LOCAL, ambient=True)
        cookie = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        session = self._access.session(cookie)
        who = self._access.principal(session) if session is not None else None
        return Asker(who=NOBODY) if who is None else Asker(who=who, session=session, ambient=True)

    def _refusal(
        self, rule: Rule, asker: Asker, place: Place, headers: Mapping[str, str], method: str
    ) -> tuple[int, str] | None:
        """Status and reason of a refusal; None when they may."""
        if asker.bad:
            return 401, "this key opens nothing here: it is wrong, expired or revoked"
        known = self._own if asker.session is not None else self._own | self._allowed
        if asker.ambient and foreign(method, place, headers, known):
            return 403, f"this came from a page elsewhere ({headers.get('origin', 'another site')}); send an API key"
        if asker.session is not None and unproven(method, headers) and not self._token(asker.session, headers):
            return 403, "a session alone changes nothing without Origin or X-CSRF-Token; send an API key"
        if asker.who.may(rule.needs):
            return None
        if asker.who.via == "nobody":
            return 401, f"sign in, or send an API key with the scope {rule.needs.value!r}"
        return 403, f"{asker.who.name} has no scope {rule.needs.value!r}"

    def _token(self, session: Session, headers: Mapping[str, str]) -> bool:
        """Whether the token came with it that only pages of ours, and whoever has the session, can read."""
        given = headers.get("x-csrf-token", "")
        return hmac.compare_digest(given.encode(), self._access.signer.token(session.id).encode())

    async def _request(
        self, scope: Asgi, receive: Receive, send: Send, rule: Rule, refusal: tuple[int, str] | None
    ) -> None:
        request = Request(scope, receive)
        preflight = self._preflight(request)
        if preflight is not None:
            await preflight(scope, receive, send)
            return
        if refusal is not None:
            leads = self._access.signs_in and rule.kind is Kind.PAGE
            await _refused(request, *refusal, leads=leads)(scope, receive, send)
            return
        actor = Actor(scope[PRINCIPAL], scope["client"][0])
        statuses: list[int] = []

        async def seen(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
            await send(message)

        with acting(actor):
            await self._app(scope, receive, seen)
            changed = rule.needs in (Scope.OPERATE, Scope.ADMIN) and request.method not in SAFE
            if changed and not actor.noted and statuses and statuses[0] < 400:
                # Whatever changes something is in the audit log, also what doesn't say so itself.
                self._access.audit.note(f"api.{request.method.lower()}", request.url.path)

    async def _socket(self, scope: Asgi, receive: Receive, send: Send, *, refused: bool) -> None:
        if refused:
            # Before it is accepted: the server answers the handshake with 403.
            await send({"type": "websocket.close", "code": 1008})
        elif scope[PRINCIPAL].via == LOCAL.via:
            await self._app(scope, receive, send)
        else:
            await _Watched(scope[HOLDS], receive, send).run(self._app, scope)

    def _preflight(self, request: Request) -> Response | None:
        """The answer to a browser that asks whether a page elsewhere may send a request with a key."""
        asked = request.headers.get("access-control-request-method")
        if request.method != "OPTIONS" or asked is None or request.headers.get("origin") not in self._allowed:
            return None
        return Response(
            status_code=204,
            headers={
                "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
                "access-control-allow-headers": request.headers.get("access-control-request-headers", ""),
                "access-control-max-age": str(_CORS_SECONDS),
            },
        )

    def _shared(self, send: Send, headers: Mapping[str, str]) -> Send:
        """*send* that lets a page of an allowed origin read the answer; a session is never used for it."""
        origin = headers.get("origin", "")
        if origin not in self._allowed:
            return send

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = MutableHeaders(scope=message)
                added["access-control-allow-origin"] = origin
                added["access-control-expose-headers"] = _READABLE
                added.add_vary_header("Origin")
            await send(message)

        return with_headers


class _Watched:
    """A websocket that ends with its session, or its key."""

    def __init__(self, holds: Callable[[], bool], receive: Receive, send: Send) -> None:
        self._holds, self._receive, self._send = holds, receive, send
        self._over = asyncio.Event()

    async def run(self, app: ASGIApp, scope: Asgi) -> None:
        """Serve *app* until the session is over."""
        watch = asyncio.create_task(self._watch())
        try:
            await app(scope, self._next, self._told)
        finally:
            watch.cancel()

    async def _watch(self) -> None:
        while await run_in_threadpool(self._holds):
            await asyncio.sleep(LOOK_AGAIN)
        self._over.set()

    async def _next(self) -> Message:
        """What comes next; when the session is over, that the client has left."""
        coming = asyncio.ensure_future(self._receive())
        over = asyncio.ensure_future(self._over.wait())
        try:
            await asyncio.wait({coming, over}, return_when=asyncio.FIRST_COMPLETED)
            if not self._over.is_set():
                return await coming
        finally:
            over.cancel()
            if not coming.done():
                coming.cancel()
        await self._send({"type": "websocket.close", "code": 1008, "reason": "the session or key is over"})
        return {"type": "websocket.disconnect", "code": 1008}

    async def _told(self, message: Message) -> None:
        if not self._over.is_set():
            await self._send(message)


def _web(scheme: str) -> str:
    return {"ws": "http", "wss": "https"}.get(scheme, scheme)


def _rank(scope: Scope) -> int:
    return list(Scope).index(scope)


def _key(headers: Mapping[str, str]) -> tuple[str, bool]:
    """The key that came with a request, and whether it is surely meant for us."""
    given = headers.get("x-api-key", "")
    if given:
        return given, True
    kind, _, token = headers.get("authorization", "").partition(" ")
    token = token.strip()
    return (token, token.startswith("perf_")) if kind.lower() == "bearer" else ("", False)


def _refused(request: Request, status: int, reason: str, *, leads: bool) -> Response:
    """*leads* says that who may sign in is led there."""
    if status == 401 and leads and not _key(request.headers)[0]:
        return RedirectResponse(signin_url(request), 303, headers={"cache-control": "no-store"})
    answer = problem.response(request, status, reason)
    answer.headers["cache-control"] = "no-store"
    if status == 401:
        answer.headers["www-authenticate"] = 'Bearer realm="perf"'
    return answer


def signin_url(request: Request) -> str:
    """The sign-in page, relative to the page that was asked for: right behind a proxy that adds a prefix, too."""
    path = request.url.path
    target = path + (f"?{request.url.query}" if request.url.query else "")
    depth = path.count("/") - 1
    return f"{'../' * depth or './'}signin?next={quote(target, safe='/')}"
