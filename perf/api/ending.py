"""What a server of perf does between a signal and its end; the same for Streamlit's and for ``perf serve``."""

from __future__ import annotations

import asyncio
import signal

import uvicorn

from perf.runtime import Runtime
from perf.runtime.ending import SIGNALS, Ending


def ending(runtime: Runtime) -> Ending:
    """The end of *runtime*, whenever a signal asks for it."""
    return Ending(runtime.settings.production, runtime.clock, leave=runtime.leave, end_streams=runtime.streams.end)


def take_over(found: Ending) -> None:
    """Stand between the signals and uvicorn, whose handlers are set by now; in its event loop, in the main thread.

    Started by somebody else's command line, uvicorn would wait for open requests for ever: it gets a share of the grace period.
    """
    for number in SIGNALS:
        server = getattr(signal.getsignal(number), "__self__", None)
        if isinstance(server, uvicorn.Server) and server.config.timeout_graceful_shutdown is None:
            server.config.timeout_graceful_shutdown = max(1, round(found.requests_seconds))
    found.take_over(asyncio.get_running_loop())
