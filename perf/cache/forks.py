"""What a fork of the process does to its caches: memory stays as it was, work of other threads stays in the parent."""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perf.cache.threaded import Threaded

WAIT_SECONDS = 1.0
"""How long a fork waits for a thread that changes memory: longer than any change takes."""

_caches: weakref.WeakSet[Threaded] = weakref.WeakSet()
_held: list[Threaded] = []
_hooked: list[bool] = []


def watch(cache: Threaded) -> None:
    """From now on *cache* survives forks, as long as it lives."""
    if not _hooked and hasattr(os, "register_at_fork"):
        _hooked.append(True)
        os.register_at_fork(before=_before, after_in_parent=_release, after_in_child=_in_child)
    _caches.add(cache)


def forget(cache: Threaded) -> None:
    """*cache* was closed."""
    _caches.discard(cache)


def _before() -> None:
    _held[:] = [cache for cache in list(_caches) if cache.local.fences.lock.acquire(timeout=WAIT_SECONDS)]


def _release() -> None:
    while _held:
        _held.pop().local.fences.lock.release()


def _in_child() -> None:
    _release()
    for cache in list(_caches):
        cache.local.fences.forked()
        cache.counts.forked()
        cache.loader.forked()
        cache.outer.background.forked()
