"""Which form of an answer a client wants: JSON, CSV or Arrow, by ``Accept`` (RFC 9110, 12.5.1)."""

from __future__ import annotations

from collections.abc import Iterator

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from perf.api.problem import ApiError
from perf.views import export
from perf.views.export import Format, Record

JSON = "application/json"
CSV = "text/csv"
ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"
LINES = "application/jsonl"
TABLES = (JSON, CSV, ARROW)
"""What tables may be asked for as."""
FORMATS = {CSV: Format.CSV, ARROW: Format.ARROW, PARQUET: Format.PARQUET, LINES: Format.JSON}


def chosen(request: Request, among: tuple[str, ...]) -> str:
    """The one of *among* that the client prefers, the first of them when it doesn't say. Raises: ApiError 406."""
    accept = request.headers.get("accept", "").strip()
    if not accept:
        return among[0]
    ranges = [_range(part) for part in accept.split(",") if part.strip()]
    best = max(among, key=lambda media: _quality(media, ranges))
    if _quality(best, ranges) <= 0:
        raise ApiError(406, f"this answer comes as {', '.join(among)}")
    return best


async def table(pieces: Iterator[list[Record]], form: Format, *, zone: str = "UTC", name: str = "") -> Response:
    """*pieces* as a stream of *form*, as the file *name* if it has one.

    The first piece is made before the answer begins, while its failure can still be one.
    """
    body = await run_in_threadpool(_begun, export.encoded(pieces, form, zone))
    headers = {"cache-control": "no-store", "vary": "accept"}
    if name:
        headers["content-disposition"] = f'attachment; filename="{name}"'
    return StreamingResponse(body, media_type=form.media_type, headers=headers)


def _begun(pieces: Iterator[bytes]) -> Iterator[bytes]:
    first = next(pieces, b"")

    def whole() -> Iterator[bytes]:
        yield first
        yield from pieces

    return whole()


def _range(part: str) -> tuple[str, float]:
    """A media range and its quality, from 0 to 1; 0 for one that can't be read."""
    media, *parameters = (piece.strip().lower() for piece in part.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return media, min(max(float(value), 0.0), 1.0)
            except ValueError:
                return media, 0.0
    return media, 1.0


def _quality(media: str, ranges: list[tuple[str, float]]) -> float:
    """How much *media* is wanted: what is said most exactly about it counts."""
    table = dict(ranges)
    return next((table[one] for one in (media, f"{media.partition('/')[0]}/*", "*/*") if one in table), 0.0)
