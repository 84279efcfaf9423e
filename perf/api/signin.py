"""``/signin`` and ``/signout``: where people come in and leave. Forms without scripts; after signing in they land where they wanted."""

from __future__ import annotations

import asyncio
import hmac
import math
import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from perf.access.sessions import COOKIE, Session
from perf.access.vouching import Attempt, ProviderError
from perf.api import signinpage
from perf.api.guard import SESSION
from perf.api.problem import ApiError, guarded
from perf.runtime import Runtime
from perf.views.access import SignInError

FORM = "perf_form"
"""Cookie that the hidden token of a form belongs to."""
ATTEMPT = "perf_attempt"
"""Cookie of a sign-in at the provider that is under way."""
ATTEMPT_SECONDS = 600.0
LARGEST = 10_000
"""Bytes of a form."""
LONGEST_TARGET = 2_000
_NO_STORE = {"cache-control": "no-store"}
AT_ONCE = 4
"""Threads that requests to one of these routes may take together: anybody may ask for one, and health waits for threads, too."""
_Answer = Callable[[Runtime, Request], Awaitable[Response]]
_T = TypeVar("_T")
_GATE = "perf.signin"
"""Key of the ASGI scope of what lets so many in."""


def routes(runtime: Runtime) -> list[Route]:
    """The routes of this file, at the root; they lead to the first page where nobody signs in."""

    def route(path: str, method: str, answer: _Answer) -> Route:
        gate = asyncio.Semaphore(AT_ONCE)  # Of its own: a provider that hangs keeps nobody with a password out.

        async def handle(request: Request) -> Response:
            if not runtime.access.signs_in:
                return RedirectResponse("../" if path.count("/") > 1 else "./", 303, headers=_NO_STORE)
            request.scope[_GATE] = gate
            return await answer(runtime, request)

        return Route(path, guarded(handle), methods=[method])

    return [
        route("/signin", "GET", _form),
        route("/signin", "POST", _password),
        route("/signin/oidc", "GET", _leave),
        route("/signin/callback", "GET", _back),
        route("/signout", "GET", _question),
        route("/signout", "POST", _out),
    ]


def target(text: str) -> str:
    """Where to go after signing in, below this server; the first page when *text* is anything else.

    Only an absolute path with one slash at its front, and no backslash, which browsers take for one.
    """
    harmless = text.isprintable() and len(text) <= LONGEST_TARGET and "\\" not in text
    return text if harmless and text.startswith("/") and not text.startswith(("//", "/signin", "/signout")) else "/"


async def _form(runtime: Runtime, request: Request) -> Response:
    wanted = target(request.query_params.get("next", "/"))
    if request.scope[SESSION] is not None:
        return _sent(request, wanted)
    return _page(runtime, request, wanted)


async def _password(runtime: Runtime, request: Request) -> Response:
    fields = await _fields(request)
    wanted = target(fields.get("next", "/"))
    if not _proven(runtime, request, fields):
        return _page(runtime, request, wanted, "This form was too old, or not ours. Please try again.", 403)
    name, password = fields.get("name", ""), fields.get("password", "")
    if not runtime.access.settings.users:
        raise ApiError(404, "nobody signs in with a password here")
    address = request.client.host if request.client else ""
    try:
        session = await _apart(request, partial(runtime.access.sign_in, name, password, address))
    except SignInError as error:
        answer = _page(runtime, request, wanted, str(error), 429 if error.wait else 401, name)
        if error.wait:
            answer.headers["retry-after"] = str(math.ceil(error.wait))
        return answer
    return _signed_in(runtime, request, session, wanted)


async def _leave(runtime: Runtime, request: Request) -> Response:
    """To the provider."""
    provider = runtime.access.provider
    if provider is None:
        raise ApiError(404, "there is no provider to sign in at")
    wanted = target(request.query_params.get("next", "/"))
    try:
        url, attempt = await _apart(request, partial(provider.begin, wanted, ATTEMPT_SECONDS))
    except ProviderError as error:
        return _failed(runtime, request, wanted, error)
    answer = RedirectResponse(url, 302, headers=_NO_STORE)
    _keep(runtime, request, answer, ATTEMPT, runtime.access.signer.sealed(attempt), ATTEMPT_SECONDS)
    return answer


async def _back(runtime: Runtime, request: Request) -> Response:
    """From the provider."""
    provider, query = runtime.access.provider, request.query_params
    if provider is None:
        raise ApiError(404, "there is no provider to sign in at")
    attempt = runtime.access.signer.opened(request.cookies.get(ATTEMPT, ""), Attempt)
    now = runtime.clock.now()
    same = attempt is not None and hmac.compare_digest(attempt.state.encode(), query.get("state", "").encode())
    if attempt is None or not same or attempt.expires < now:
        return _page(runtime, request, "/", "This sign-in was too old, or begun elsewhere. Please try again.", 403)
    if "code" not in query:
        said = f"{query.get('error', 'no code')} {query.get('error_description', '')}".strip()[:200]
        return _failed(runtime, request, attempt.target, ProviderError(f"the provider answered: {said}"))
    try:
        person = await _apart(request, partial(provider.finish, attempt, query["code"], query.get("iss", "")))
    except ProviderError as error:
        return _failed(runtime, request, attempt.target, error)
    answer = _signed_in(runtime, request, runtime.access.vouched(person), attempt.target)
    answer.delete_cookie(ATTEMPT)
    return answer


async def _question(_: Runtime, request: Request) -> Response:
    """A link alone must not sign anybody out: a page elsewhere could hold it."""
    session: Session | None = request.scope[SESSION]
    if session is None:
        return RedirectResponse("./signin", 303, headers=_NO_STORE)
    return signinpage.response(signinpage.sign_out(session.name))


async def _out(runtime: Runtime, request: Request) -> Response:
    session: Session | None = request.scope[SESSION]
    answer = RedirectResponse("./signin", 303, headers=_NO_STORE)
    if session is not None:
        await _apart(request, partial(runtime.access.sign_out, session))
        answer.delete_cookie(COOKIE)
    return answer


async def _apart(request: Request, act: Callable[[], _T]) -> _T:
    """What *act* answers on one of the few threads of sign-ins; the others wait without one."""
    async with request.scope[_GATE]:
        return await run_in_threadpool(act)


def _signed_in(runtime: Runtime, request: Request, session: Session, wanted: str) -> Response:
    answer = _sent(request, wanted)
    seconds = session.expires - runtime.clock.now()
    _keep(runtime, request, answer, COOKIE, runtime.access.signer.sealed(session), seconds)
    return answer


def _sent(request: Request, wanted: str) -> Response:
    """Relative, so that it is right behind a proxy that adds a prefix, and can lead nowhere else."""
    up = ".." if request.url.path.rstrip("/").endswith(("/callback", "/oidc")) else "."
    return RedirectResponse(up + wanted, 303, headers=_NO_STORE)


def _failed(runtime: Runtime, request: Request, wanted: str, error: ProviderError) -> Response:
    runtime.access.audit.note("sign-in.failed", "oidc", after=str(error))
    return _page(runtime, request, wanted, f"Not signed in: {error}.", 403)


def _page(
    runtime: Runtime, request: Request, wanted: str, problem: str = "", status: int = 200, name: str = ""
) -> Response:
    access = runtime.access
    known = request.cookies.get(FORM, "") or secrets.token_urlsafe(18)
    up = "../" if request.url.path.count("/") > 1 else "./"
    form = signinpage.Form(
        token=access.signer.token(known),
        target=wanted,
        problem=problem,
        name=name,
        passwords=bool(access.settings.users),
        provider=access.settings.oidc.label if access.provider is not None else "",
        up=up,
    )
    answer = signinpage.response(signinpage.sign_in(form), status)
    _keep(runtime, request, answer, FORM, known, None)
    return answer


def _proven(runtime: Runtime, request: Request, fields: dict[str, str]) -> bool:
    """Whether the form came from here, to this browser: nobody is signed in under another's name by a page elsewhere."""
    known, given = request.cookies.get(FORM, ""), fields.get("token", "")
    return bool(known) and hmac.compare_digest(runtime.access.signer.token(known).encode(), given.encode())


def _keep(runtime: Runtime, request: Request, answer: Response, name: str, value: str, seconds: float | None) -> None:
    answer.set_cookie(
        name,
        value,
        max_age=None if seconds is None else max(0, int(seconds)),
        path="/",
        secure=request.url.scheme == "https" or runtime.access.settings.url.startswith("https:"),
        httponly=True,
        # A link from an e-mail must find its reader signed in, and the way back from the provider its attempt.
        samesite="lax",
    )


async def _fields(request: Request) -> dict[str, str]:
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise ApiError(415, "send a form")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            raise ApiError(413, f"a form has at most {LARGEST:,} bytes")
    try:
        found = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=20)
    except ValueError as error:
        raise ApiError(400, "the form can't be read") from error
    return {name: values[0] for name, values in found.items()}
