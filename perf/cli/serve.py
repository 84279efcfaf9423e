"""Records, and answers over HTTP, without the dashboard. Exit code: 0 when stopped, 2 when it could not start."""

from __future__ import annotations

import argparse
import logging
import signal
import socket
from contextlib import suppress
from types import FrameType
from typing import NoReturn

from perf import default, logs
from perf import settings as tree
from perf.alerts.redaction import RedactingFilter, Redactor
from perf.api.hosts import answered
from perf.cli import address
from perf.cli.address import loopback_url
from perf.runtime import Runtime
from perf.settings import Settings

SUMMARY = "record, and answer over HTTP, without the dashboard"
EXAMPLES = """\
examples:
  python -m perf serve
  PERF_STORE__PATH=/var/lib/perf/perf.duckdb python -m perf serve --port 8600

SIGTERM or Ctrl+C writes what is queued, checkpoints the store and ends.
"""

GRACE_SECONDS = 5
"""For requests that are still being answered when the end comes."""

_log = logging.getLogger(__name__)


class _Left(SystemExit):
    """A signal asked for the end."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this verb."""
    address.arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Serve until a signal comes."""
    settings = address.addressed(tree.load(options.config), options.host, options.port)
    hosts = answered(settings.server.host, insecure=settings.insecure)
    logs.configure(settings.logs, RedactingFilter(Redactor(logs.secrets(settings))))
    previous = [signal.signal(number, _leave) for number in (signal.SIGTERM, signal.SIGINT)]
    try:
        with address.listener(settings.server) as listener, suppress(_Left):
            _serve(settings, listener, hosts)
    finally:
        for number, handler in zip((signal.SIGTERM, signal.SIGINT), previous, strict=True):
            signal.signal(number, handler)
    return 0


def _serve(settings: Settings, listener: socket.socket, hosts: tuple[str, ...]) -> None:
    # Only this verb needs them, and they take half a second to import.
    import uvicorn

    from perf.api.app import build

    runtime = Runtime(settings)
    try:
        default.install(runtime)
        url = loopback_url(settings.server.host, listener.getsockname()[1])
        runtime.start(url)
        config = uvicorn.Config(
            build(runtime, hosts),
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        _log.info("recording into %s, answering at %s", settings.store.path, url)
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        _log.info("stopping")
        runtime.stop()
        default.install(None)
        _log.info("stopped")


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    """Signals before uvicorn takes them over and after it gives them back (it raises them again then)."""
    raise _Left
