"""Gives memory back: what caches hold in this process, garbage, and what allocators keep for later."""

from __future__ import annotations

import ctypes
import gc
import logging
from functools import cache

import pyarrow as pa

from perf.cache.metrics import following

_log = logging.getLogger(__name__)


def relieve() -> int:
    """Empty the memory of every cache of this process and hand free pages back; how many entries were dropped.

    Outer tiers keep their entries, and nothing is invalidated: what is asked for again comes from there or is made anew.
    """
    dropped = 0
    for held in following().caches():
        dropped += held.local.memory.usage().entries
        held.local.memory.clear()
    gc.collect()
    pa.default_memory_pool().release_unused()
    trim = _trim()
    if trim is not None:
        trim(0)
    _log.debug("memory is over its limit: dropped %d cached entries", dropped)
    return dropped


@cache
def _trim() -> ctypes._NamedFuncPointer | None:
    """The C library's way to give free pages back; only glibc has it."""
    try:
        found = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
    found.argtypes, found.restype = (ctypes.c_size_t,), ctypes.c_int
    return found
