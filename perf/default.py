"""The process-wide runtime or sender: a process either owns a store, or sends to one that does.

Only entry points and the public faces know this module.
"""

from __future__ import annotations

import atexit
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from perf import settings
from perf.clock import SystemClock
from perf.errors import SettingsError
from perf.record import Recorder, current, ending
from perf.record.drainer import Drain
from perf.settings import Settings
from perf.transport.deltas import Deltas

if TYPE_CHECKING:
    from perf.runtime import Runtime
    from perf.transport.sender import Sender

_lock = threading.Lock()
_runtime: Runtime | None = None
_sender: Sender | None = None
_deltas: WeakKeyDictionary[Recorder, Deltas] = WeakKeyDictionary()
"""What of a recorder's running totals has been sent: it outlives a sender, and the next one goes on from there."""


def get() -> Runtime:
    """The runtime of this process; made from the settings and started at the first call.

    Raises: SettingsError, StoreLocked, StoreError.
    """
    global _runtime  # noqa: PLW0603  # The one process-wide value; every test passes its own runtime instead.
    from perf.runtime import Runtime  # a fifth of a second that a process which only sends is spared

    with _lock:
        if _runtime is None:
            _runtime = Runtime(settings.load())
            _runtime.start()
            atexit.register(_runtime.stop)
        runtime = _runtime
    stop_sending()
    return runtime


def running() -> Runtime | None:
    """The runtime of this process, if there is one."""
    return _runtime


def install(runtime: Runtime | None) -> None:
    """Make *runtime*, which somebody else starts and stops, the one of this process; None forgets it."""
    global _runtime  # noqa: PLW0603  # As above.
    with _lock:
        _runtime = runtime
    if runtime is not None:
        stop_sending()


def send(service: str = "") -> bool:
    """Send what this process records, as *service*, from now until it ends; whether this call began it.

    Nothing to do in a process that has a runtime or sends already, or where the settings say so.

    Raises: SettingsError.
    """
    global _sender  # noqa: PLW0603  # As above.
    with _lock:
        if _runtime is not None or _sender is not None:
            return False
        loaded = settings.load()
        if not (loaded.send.enabled and loaded.record.enabled):
            return False
        _sender = _made(loaded, service)
        _sender.start()
        ending.at_ending(_sender.flush)
        atexit.register(_sender.stop)
    return True


def sender() -> Sender | None:
    """The sender of this process, if there is one."""
    return _sender


def stop_sending() -> None:
    """Send or spool what is left, and send no more."""
    global _sender  # As above.
    with _lock:
        stopped, _sender = _sender, None
    if stopped is not None:
        ending.without(stopped.flush)
        atexit.unregister(stopped.stop)
        stopped.stop()


def _made(loaded: Settings, service: str) -> Sender:
    from perf.transport.client import Endpoint, headers
    from perf.transport.sender import Sender
    from perf.transport.spool import Spool

    clock = SystemClock()
    try:
        endpoint = Endpoint(loaded.send.url, headers(loaded.send.headers))
    except ValueError as error:
        raise SettingsError(f"send: {error}") from error
    drain = Drain(current(), loaded.record, clock)
    made = Sender(
        drain,
        endpoint,
        Spool(Path(loaded.send.spool).resolve(), clock, max_bytes=loaded.send.spool_limit),
        clock,
        service=service or loaded.send.service or _program(),
        release=drain.release,
    )
    made.deltas = _deltas.setdefault(current(), made.deltas)
    return made


def _program() -> str:
    """The name of this program: its file's, or its package's when it was started with ``-m``."""
    file = Path(sys.argv[0] if sys.argv else "")
    name = file.parent.name if file.stem == "__main__" else file.stem
    return name if name and not name.startswith("-") else "python"
