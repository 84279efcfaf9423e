"""Deploys and notes in their table."""

from __future__ import annotations

from perf.model import Annotation, Window
from perf.sqlfiles import sql
from perf.store.duckdb.connection import Database, run
from perf.store.levels import MICRO, micros

_PACKAGE = "perf.store.duckdb"


def add(database: Database, annotation: Annotation) -> None:
    """Store *annotation*. Raises: StoreFull, Invalidated (perhaps written), StoreError."""
    parameters: dict[str, object] = {
        "ts": micros(annotation.ts),
        "kind": annotation.kind,
        "title": annotation.title,
        "service": annotation.service,
        "text": annotation.text,
    }
    with database.transaction() as writer:
        run(writer, sql(_PACKAGE, "annotation_add"), parameters)


def between(database: Database, window: Window) -> list[Annotation]:
    """Those of *window*, the oldest first."""
    span: dict[str, object] = {"start": micros(window.start), "end": micros(window.end)}
    with database.reading() as cursor:
        found = run(cursor, sql(_PACKAGE, "annotations"), span)
    return [
        Annotation(ts=ts / MICRO, kind=kind, title=title, service=service, text=text)
        for ts, kind, title, service, text in found
    ]
