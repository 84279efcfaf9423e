"""Finds out who has the store: an owner that answers over HTTP, or nobody, and then this process opens it itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from perf import ownerfile
from perf.cli import remote
from perf.cli.address import loopback_url
from perf.cli.questions import Data
from perf.errors import OwnerError, StoreError, StoreLocked
from perf.ownerfile import Owner
from perf.ports import Clock
from perf.settings import Settings


def noted(settings: Settings) -> Owner | None:
    """The owner that left a note beside the store and whose process lives; it may not answer."""
    owner = ownerfile.read(settings.store.path)
    return owner if owner is not None and owner.pid > 0 and psutil.pid_exists(owner.pid) else None


def address(settings: Settings) -> str:
    """Where the owner answers: as its note says, else where the settings would have it."""
    owner = noted(settings)
    if owner is not None:
        return owner.url
    return loopback_url(settings.server.host, settings.server.port)


@contextmanager
def reached(settings: Settings, clock: Clock) -> Iterator[Data]:
    """The stored data: from the owner when there is one that answers, else from the file, opened until the block ends.

    Raises: StoreLocked naming the process that holds the file and doesn't answer, StoreError when there is no file.
    """
    owner = noted(settings)
    if owner is not None and remote.answers(owner.url):
        yield remote.RemoteData(owner.url, owner.token)
        return
    if settings.store.backend != "duckdb":
        raise OwnerError(f"no owner answers, and a {settings.store.backend} store is only in its owner's memory")
    if not Path(settings.store.path).exists():
        raise StoreError(f"no store at {settings.store.path}; `python -m perf serve` makes one")
    from perf.cli.local import LocalData  # half a second of imports that an owner saves
    from perf.runtime import open_store

    try:
        store = open_store(settings.store, clock)
    except StoreLocked as error:
        if owner is None:
            raise
        message = f"{settings.store.path} is owned by process {owner.pid}, which does not answer at {owner.url}"
        raise StoreLocked(message, pid=owner.pid) from error
    try:
        yield LocalData(store, clock)
    finally:
        store.close()
