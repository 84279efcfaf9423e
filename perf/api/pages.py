"""Pages of rows by keyset: a cursor says which row came last, so that pages neither repeat nor skip while rows arrive.

A cursor is opaque to clients, but no secret: it is read strictly, and belongs to the question that it came from.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

import msgspec
from starlette.requests import Request

from perf.api.problem import ApiError
from perf.decoding import from_json

_K = TypeVar("_K", bound=tuple[object, ...])
_R = TypeVar("_R")
_PLACES = ("cursor", "limit", "from", "to")
"""Parameters that may differ from one page to the next: relative ranges move on by themselves."""


class Cursor(Generic[_K]):
    """The cursor of *request*, for the rows of *kind*, whose places are tuples of *types*. Raises: ApiError 400."""

    def __init__(self, request: Request, kind: str, types: tuple[type, ...]) -> None:
        self._question = _digest(request, kind)
        self._types = types
        text = request.query_params.get("cursor", "")
        self.after: _K | None = self._read(text) if text else None

    def text(self, place: _K) -> str:
        """The cursor that continues after *place*."""
        content = msgspec.json.encode((self._question, *place))
        return base64.urlsafe_b64encode(content).decode().rstrip("=")

    def _read(self, text: str) -> _K:
        kind: type[tuple[object, ...]] = tuple.__class_getitem__((str, *self._types))  # type: ignore[assignment]  # by types
        try:
            content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            question, *place = from_json(content, kind)
        except (ValueError, msgspec.DecodeError) as error:
            raise ApiError(400, "the cursor is none of ours; take `next` of the page before") from error
        if question != self._question:
            raise ApiError(400, "the cursor belongs to another question; begin without one")
        found: _K = tuple(place)  # type: ignore[assignment]  # decoded as these types
        return found


def paged(
    cursor: Cursor[_K],
    rows: Callable[[_K | None], Iterable[_R]],
    place: Callable[[_R], _K],
    limit: int,
    *,
    descending: bool = False,
) -> tuple[list[_R], str | None]:
    """The *limit* rows behind *cursor*, and the cursor of the page that follows, if any does.

    *rows* finds those from a place on, in order; it may find more, also some before the place.
    """
    after = cursor.after
    behind = (row for row in rows(after) if after is None or (place(row) < after if descending else place(row) > after))
    found = list(itertools.islice(behind, limit + 1))
    page = found[:limit]
    return page, cursor.text(place(page[-1])) if len(found) > limit else None


def chunked(fetch: Callable[[int, int], Sequence[_R]], size: int) -> Iterator[_R]:
    """Every row that *fetch*, which takes a limit and an offset, finds: *size* at a time."""
    for offset in itertools.count(0, size):
        found = fetch(size, offset)
        yield from found
        if len(found) < size:
            return


def _digest(request: Request, kind: str) -> str:
    asked = sorted((name, value) for name, value in request.query_params.multi_items() if name not in _PLACES)
    return hashlib.sha256(repr((kind, asked)).encode()).hexdigest()[:12]
