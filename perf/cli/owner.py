"""Finds out who has the store: an owner that answers over HTTP, or nobody, and then this process opens it itself."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from perf import ownerfile
from perf import settings as tree
from perf.cli import remote
from perf.cli.address import loopback_url
from perf.cli.questions import Data
from perf.errors import OwnerError, StoreError, StoreLocked
from perf.ownerfile import Owner
from perf.ports import Clock
from perf.settings import Settings
from perf.wire.link import Link, Terms

REMOTE = "remote"
"""The store that is another process's."""


def noted(settings: Settings) -> Owner | None:
    """The owner that left a note beside the store and whose process lives; it may not answer."""
    owner = ownerfile.read(settings.store.path)
    return owner if owner is not None and owner.pid > 0 and psutil.pid_exists(owner.pid) else None


def link(options: argparse.Namespace, timeout: float = remote.TIMEOUT) -> Link:
    """The way to the owner that *options* name, which is shown ``access.key`` unless they name a token, else that of their
    settings; *timeout* in seconds. Raises: SettingsError, OwnerError.
    """
    given, settings = remote.token(options.token_file), tree.load(options.config)
    if options.url:
        return remote.link(str(options.url), given or settings.access.key, terms=Terms(timeout=timeout, idle=0))
    return linked(settings, given, timeout)


def linked(settings: Settings, token: str = "", timeout: float = remote.TIMEOUT) -> Link:
    """The way to the owner: elsewhere where *settings* say so, else as its note says, else where they would have it."""
    store = settings.store
    if store.backend == REMOTE:
        return remote.link(store.url, token or store.token or settings.access.key, terms=_terms(settings, timeout))
    owner = noted(settings)
    if owner is not None:
        return remote.link(owner.url, token or owner.token, terms=Terms(timeout=timeout, idle=0))
    url = loopback_url(settings.server.host, settings.server.port)
    return remote.link(url, token or store.token or settings.access.key, terms=Terms(timeout=timeout, idle=0))


@contextmanager
def data(options: argparse.Namespace, clock: Clock) -> Iterator[Data]:
    """The data of the owner that *options* name, else as `reached`. Raises: as that, SettingsError."""
    if options.url:
        yield remote.RemoteData(link(options))
    else:
        given = remote.token(options.token_file)
        with reached(tree.load(options.config), clock, token=given) as found:
            yield found


@contextmanager
def reached(settings: Settings, clock: Clock, *, token: str = "") -> Iterator[Data]:
    """The stored data: from the owner when there is one that answers, else from the file, opened until the block ends.

    Raises: StoreLocked naming the process that holds the file and doesn't answer, StoreError when there is no file.
    """
    if settings.store.backend == REMOTE:
        yield remote.RemoteData(linked(settings, token))
        return
    owner = noted(settings)
    if owner is not None and remote.answers(owner.url):
        yield remote.RemoteData(remote.link(owner.url, token or owner.token))
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


def _terms(settings: Settings, timeout: float) -> Terms:
    """How *settings* want the owner asked; *timeout* in seconds is the verb's own."""
    asked = settings.store.remote
    return Terms(
        timeout=timeout,
        connect=asked.connect_timeout,
        retries=asked.retries,
        ca_file=asked.ca_file,
        idle=0,
    )
