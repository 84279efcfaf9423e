"""``/api/v1/store/...``: the whole store, for processes elsewhere that have none of their own."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

import perf
from perf.api.endpoint import Endpoint
from perf.api.problem import ApiError
from perf.api.sql import authorise
from perf.api.stores import WINDOW, Packed, asked, change, known, read, replied, spoken, streamed
from perf.decoding import from_msgpack
from perf.errors import QueryError, SettingsError
from perf.model import (
    Annotation,
    Change,
    Exemplar,
    Measurement,
    RowsQuery,
    Selector,
    SeriesInfo,
    SqlResult,
    StoreUsage,
    Threshold,
    Window,
)
from perf.model.access import Scope
from perf.model.matching import compiled
from perf.runtime import Runtime
from perf.settings import as_thresholds
from perf.views.writes import written
from perf.wire import columns, questions
from perf.wire.measurements import Appended
from perf.wire.protocol import ARROW, LARGEST_BATCH, MSGPACK


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An empty body."""


def _about(runtime: Runtime) -> questions.About:
    return questions.About(perf=perf.__version__, backend=runtime.settings.store.backend)


def _read(runtime: Runtime, given: questions.Ranges) -> Packed:
    for query in given.queries:
        _sound(query.selector)
    return Packed(columns.packed_series([runtime.store.read(query) for query in given.queries]), ARROW)


def _distributions(runtime: Runtime, given: questions.Spread) -> Packed:
    _sound(given.query.selector)
    return Packed(columns.packed_distributions(runtime.store.distributions(given.query, shape=given.shape)), ARROW)


def _rows(runtime: Runtime, query: RowsQuery) -> Packed:
    for selector in query.selectors:
        _sound(selector)
    return Packed(columns.packed_rows(runtime.store.rows(query)), ARROW)


def _exemplars(runtime: Runtime, given: questions.Slowest) -> list[Exemplar]:
    _sound(given.selector)
    return runtime.store.exemplars(given.selector, given.window, given.limit)


def _sql(runtime: Runtime, given: questions.Statement) -> SqlResult:
    console: Callable[..., SqlResult] | None = getattr(runtime.store, "sql", None)
    if console is None:
        raise QueryError(f"the {runtime.settings.store.backend} store does not speak SQL")
    return console(given.sql, max_rows=given.max_rows)


_asked_sql = asked(
    "sql",
    questions.Statement,
    _sql,
    SqlResult,
    "One statement that reads",
    example='{"sql": "SELECT count(*) FROM samples", "max_rows": 10}',
)


async def _admins_sql(runtime: Runtime, request: Request) -> Response:
    """Who may not ask ``/api/v1/sql`` may not ask here: statements read everything, keys and the audit log too."""
    authorise(request, runtime.token)
    return await _asked_sql.answer(runtime, request)


def _maintain(runtime: Runtime, _: Nothing) -> None:
    written(runtime.writer, lambda: runtime.store.maintain(runtime.clock.now()), "upkeep")


def _override(runtime: Runtime, given: Change) -> None:
    if given.value is not None and given.path.startswith("thresholds."):
        try:
            as_thresholds(given.value)
        except SettingsError as error:
            # Stored, it would take every threshold away from everybody who asks.
            raise QueryError(f"{given.path}: {error}") from error
    written(runtime.writer, lambda: runtime.store.override(given), given.path)


def _annotate(runtime: Runtime, given: Annotation) -> None:
    written(runtime.writer, lambda: runtime.store.annotate(given), "annotation")


async def _append(runtime: Runtime, request: Request) -> Response:
    """Durable when it answers; what came before under the same number isn't stored again."""
    body = await read(request, MSGPACK, LARGEST_BATCH)
    await run_in_threadpool(_appended, runtime, body)
    return replied(request, None)


def _appended(runtime: Runtime, body: bytes) -> None:
    try:
        given = from_msgpack(body, Appended)
        samples: list[Measurement] = given.measurements()
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ApiError(400, f"the body is no batch of measurements: {error}", kind="StoreError") from error
    store = runtime.store

    def keep() -> None:
        if store.producers().get(given.producer, -1) < given.seq:
            store.append(samples, [*given.batches, (given.producer, given.seq)])

    written(runtime.writer, keep, "measurements")


def _sound(selector: Selector) -> None:
    """Raises: QueryError for a pattern that isn't one."""
    try:
        for test in selector.tests:
            if test.pattern:
                compiled(test.text)
    except ValueError as error:
        raise QueryError(f"{selector.metric}: {error}") from error


_QUERY = f'{{"selector": {{"metric": "cpu_usage_percent"}}, "window": {WINDOW}, "step": 60}}'
_CALLS = '{"metric": "function_duration_seconds", "labels": [["function", "shop.search"]]}'
_CALLS_QUERY = f'{{"selector": {_CALLS}, "window": {WINDOW}, "step": 60}}'

ENDPOINTS: tuple[Endpoint, ...] = (
    known("about", _about, questions.About, "Who answers: the version of perf, and the kind of store"),
    known("series", lambda runtime: runtime.store.series(), list[SeriesInfo], "Every known series, by id"),
    known("producers", lambda runtime: runtime.store.producers(), dict[str, int], "The newest batch of every producer"),
    known("usage", lambda runtime: runtime.store.usage(), StoreUsage, "What the store holds"),
    known("overrides", lambda runtime: runtime.store.overrides(), dict[str, str], "Settings changed at run time"),
    known("thresholds", lambda runtime: runtime.thresholds(), dict[str, Threshold], "Thresholds in force"),
    streamed(
        "read",
        questions.Ranges,
        _read,
        "Series in steps, as an Arrow stream",
        example=f'{{"queries": [{_QUERY}]}}',
    ),
    streamed(
        "distributions",
        questions.Spread,
        _distributions,
        "Distributions, as an Arrow stream",
        example=f'{{"query": {_CALLS_QUERY}, "shape": true}}',
    ),
    streamed(
        "rows",
        RowsQuery,
        _rows,
        "Raw samples, a page as an Arrow stream",
        example=f'{{"window": {WINDOW}, "limit": 10}}',
    ),
    asked(
        "exemplars",
        questions.Slowest,
        _exemplars,
        list[Exemplar],
        "The slowest calls",
        example=f'{{"selector": {_CALLS}, "window": {WINDOW}, "limit": 5}}',
    ),
    asked(
        "changes",
        questions.Newest,
        lambda runtime, given: runtime.store.changes(given.limit),
        list[Change],
        "The newest changes of settings",
        example='{"limit": 10}',
    ),
    asked(
        "annotations",
        Window,
        lambda runtime, window: runtime.store.annotations(window),
        list[Annotation],
        "Deploys and notes of a window",
        example=WINDOW,
    ),
    msgspec.structs.replace(_asked_sql, answer=spoken(_admins_sql), needs=Scope.ADMIN),
    change("maintain", Nothing, _maintain, None, "Do the upkeep that is due", example="{}"),
    change(
        "override",
        Change,
        _override,
        None,
        "Change a setting at run time",
        example='{"ts": 1800000000, "path": "thresholds.queue_depth", "value": "{\\"warning\\": 100}", "author": "Ada"}',
    ),
    change(
        "annotate",
        Annotation,
        _annotate,
        None,
        "Keep a deploy or a note",
        example='{"ts": 1800000000, "kind": "deploy", "title": "v1.2.0", "service": "shop"}',
    ),
    Endpoint(
        method="POST",
        path="/store/append",
        answer=spoken(_append),
        needs=Scope.INGEST,
        summary="Store measurements, as MessagePack, once however often they are sent",
        takes=(MSGPACK,),
        status=204,
    ),
)
