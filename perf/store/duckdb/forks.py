"""Keeps a forked child from ever touching its parent's file."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from typing import Protocol

from perf.errors import StoreError


class Forsaken(Protocol):
    """What has a file open that a forked child must not touch."""

    def forsake(self) -> None:
        """Let go of it, in the child."""


_stores: weakref.WeakSet[Forsaken] = weakref.WeakSet()
_adding = threading.Lock()


def guard(store: Forsaken) -> None:
    """Let *store* be forsaken in every child from now on."""
    with _adding:
        if not _stores and hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_forsake_all)
        _stores.add(store)


def _forsake_all() -> None:
    with contextlib.suppress(StoreError):
        for store in list(_stores):
            store.forsake()
