"""What the endpoints of ``/api/v1/store`` have in common: who may ask, which version is spoken, and how errors and answers travel."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from perf import actor
from perf.api import problem
from perf.api.endpoint import Answerer, Endpoint, principal
from perf.api.params import Params
from perf.api.problem import ApiError
from perf.decoding import from_json
from perf.errors import PerfError, QueryError, RuleError, StoreBusy, StoreClosed, StoreError, StoreFull
from perf.model.access import Scope
from perf.runtime import Runtime
from perf.wire import packing
from perf.wire.protocol import ARROW, HEADER, JSON, LARGEST_QUESTION, VERSION

_STATUS: dict[type[PerfError], int] = {
    QueryError: 400,
    RuleError: 409,
    StoreFull: 507,
    StoreBusy: 503,
    StoreClosed: 503,
    StoreError: 500,
    PerfError: 500,
}
WINDOW = '{"start": 1800000000, "end": 1800003600}'
"""A window, in examples."""
_T = TypeVar("_T")
Act = Callable[[Runtime, _T], object]


class Packed(msgspec.Struct, frozen=True):
    """An answer that is bytes already, of type *media*."""

    body: bytes
    media: str


def known(path: str, act: Callable[[Runtime], object], answers: object, summary: str) -> Endpoint:
    """``GET``: what the owner knows."""

    def look(runtime: Runtime, _: None) -> object:
        return act(runtime)

    return Endpoint(
        method="GET",
        path=f"/store/{path}",
        answer=_answering(None, look),
        needs=Scope.READ,
        summary=summary,
        answers=answers,
        limited=False,
        packed=False,
    )


def asked(path: str, body: type[_T], act: Act[_T], answers: object, summary: str, *, example: str) -> Endpoint:
    """``POST``: a question that changes nothing."""
    return Endpoint(
        method="POST",
        path=f"/store/{path}",
        answer=_answering(body, act),
        needs=Scope.READ,
        summary=summary,
        body=body,
        answers=answers,
        example=example,
        limited=False,
        packed=False,
    )


def streamed(path: str, body: type[_T], act: Act[_T], summary: str, *, example: str) -> Endpoint:
    """``POST``: a question that changes nothing, and is answered as an Arrow stream."""
    return msgspec.structs.replace(asked(path, body, act, None, summary, example=example), media=(ARROW,))


def change(path: str, body: type[_T], act: Act[_T], answers: object, summary: str, *, example: str) -> Endpoint:
    """``POST``: something is changed; 204 unless it answers."""
    made = asked(path, body, act, answers, summary, example=example)
    return msgspec.structs.replace(made, needs=Scope.OPERATE, status=204 if answers is None else 200)


def spoken(answer: Answerer) -> Answerer:
    """*answer* for whoever speaks our version, from the owner of a store; its errors told by kind."""

    async def checked(runtime: Runtime, request: Request) -> Response:
        if (present := actor.current()) is not None and principal(request).via == "owner":
            present.noted = True  # The process that asks notes for itself who wanted it.
        try:
            _check(runtime, request)
            response = await answer(runtime, request)
        except ApiError as error:
            response = problem.response(request, error.status, str(error), **error.extra)
        except PerfError as error:
            status, kind = next((code, kind) for kind, code in _STATUS.items() if isinstance(error, kind))
            place = {"query": error.text, "position": error.position} if isinstance(error, QueryError) else {}
            response = problem.response(request, status, str(error), kind=kind.__name__, **place)
        response.headers[HEADER] = str(VERSION)
        return response

    return checked


async def read(request: Request, media: str, largest: int) -> bytes:
    """The body, which must be *media*, unpacked and at most *largest* bytes. Raises: ApiError."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != media:
        raise ApiError(415, f"send {media}")
    Params(request, single=())
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > largest:
            raise ApiError(413, f"a request has at most {largest:,} bytes")
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity", packing.ZSTD):
        raise ApiError(415, f"content-encoding {encoding[:40]!r}; known: identity, {packing.ZSTD}")
    if encoding != packing.ZSTD:
        return bytes(body)
    try:
        return packing.unpacked(bytes(body), largest)
    except packing.Unpackable as error:
        raise ApiError(400, f"the body: {error}") from error


def replied(request: Request, found: object) -> Response:
    """*found* as an answer: bytes as they are, nothing as 204, all else as JSON; compressed for who takes that."""
    if found is None:
        return Response(status_code=204, headers={"cache-control": "no-store"})
    packed = found if isinstance(found, Packed) else Packed(msgspec.json.encode(found, enc_hook=str), JSON)
    body, headers = packed.body, {"cache-control": "no-store", "vary": "accept-encoding"}
    if packing.ZSTD in request.headers.get("accept-encoding", ""):
        smaller, is_smaller = packing.packed(body)
        if smaller is not None and is_smaller:
            body, headers["content-encoding"] = smaller, packing.ZSTD
    return Response(body, media_type=packed.media, headers=headers)


def _answering(body: type[_T] | None, act: Callable[[Runtime, _T], object]) -> Answerer:
    async def answer(runtime: Runtime, request: Request) -> Response:
        content = b""
        if body is None:
            Params(request, single=())
        else:
            content = await read(request, JSON, LARGEST_QUESTION)
        return await run_in_threadpool(work, runtime, request, content)

    def work(runtime: Runtime, request: Request, content: bytes) -> Response:
        return replied(request, act(runtime, None if body is None else _decoded(content, body)))  # type: ignore[arg-type]  # None is the body of a GET

    return spoken(answer)


def _decoded(content: bytes, kind: type[_T]) -> _T:
    try:
        return from_json(content, kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise QueryError(f"the body is not {kind.__name__}: {error}") from error


def _check(runtime: Runtime, request: Request) -> None:
    """Raises: ApiError for a token that opens nothing, another version, or a process that has to ask somebody else itself."""
    shown = request.headers.get("authorization", "").startswith("Bearer ")
    if shown and principal(request).via == "loopback":
        # It opens nothing, and nobody has to sign in: who shows a token here means this owner's.
        raise ApiError(401, "the token is not this owner's")
    speaks = request.headers.get(HEADER)
    if speaks is not None and speaks != str(VERSION):
        raise ApiError(409, f"you speak version {speaks[:20]!r}, this owner version {VERSION}: update the older one")
    if runtime.distant is not None:
        raise ApiError(421, f"this process owns no store, it asks {runtime.settings.store.url} itself: ask there")
