"""An empty store file, to be opened by a test. Making one runs every migration: 0.1 s of a processor that most tests needn't spend."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from perf.clock import SystemClock
from perf.settings import StoreSettings
from perf.store.duckdb import DuckDBStore

_PRIVATE = 0o600


def empty(path: Path) -> Path:
    """Put an empty store of the newest layout at *path*, unless there is a file."""
    if not path.exists():
        path.touch(_PRIVATE)
        path.write_bytes(_made())
    return path


@functools.cache
def _made() -> bytes:
    """The bytes of a store that was made and closed, once for a process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "perf.duckdb"
        DuckDBStore(StoreSettings(path=str(path)), SystemClock()).close()
        return path.read_bytes()
