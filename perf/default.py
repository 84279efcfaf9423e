"""The process-wide runtime. Only entry points and the public faces know this module."""

from __future__ import annotations

import atexit
import threading

from perf import settings
from perf.runtime import Runtime

_lock = threading.Lock()
_runtime: Runtime | None = None


def get() -> Runtime:
    """The runtime of this process; made from the settings and started at the first call.

    Raises: SettingsError, StoreLocked, StoreError.
    """
    global _runtime  # noqa: PLW0603  # The one process-wide value; every test passes its own runtime instead.
    with _lock:
        if _runtime is None:
            _runtime = Runtime(settings.load())
            _runtime.start()
            atexit.register(_runtime.stop)
        return _runtime


def running() -> Runtime | None:
    """The runtime of this process, if there is one."""
    return _runtime


def install(runtime: Runtime | None) -> None:
    """Make *runtime*, which somebody else starts and stops, the one of this process; None forgets it."""
    global _runtime  # noqa: PLW0603  # As above.
    with _lock:
        _runtime = runtime
