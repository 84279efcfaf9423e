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
from perf.runtime.ending import at_once
from perf.settings import Settings

SUMMARY = "record, and answer over HTTP, without the dashboard"
EXAMPLES = """\
examples:
  python -m perf serve
  PERF_STORE__PATH=/var/lib/perf/perf.duckdb python -m perf serve --port 8600

SIGTERM or Ctrl+C writes what is queued, checkpoints the store and ends.
"""

_log = logging.getLogger(__name__)


class _Left(SystemExit):
    """A signal asked for the end."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this verb."""
    address.arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Serve until a signal comes."""
    settings = address.addressed(tree.load(options.config), options.host, options.port)
    hosts = answered(settings.server.host, insecure=settings.insecure, access=settings.access)
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
    from perf.api.ending import ending, take_over
    from perf.api.handles import plenty
    from perf.api.healthport import open_port
    from perf.api.turns import prompt

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            prompt()
            take_over(end)

    plenty()
    runtime = Runtime(settings)
    end = ending(runtime)
    try:
        port = open_port(runtime, settings.server.host, hosts)
        default.install(runtime)
        url = loopback_url(settings.server.host, listener.getsockname()[1])
        runtime.start(url)
        config = uvicorn.Config(
            build(runtime, hosts),
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            proxy_headers=False,  # the guard believes the proxies that access.proxies names
        )
        where = settings.store.path if runtime.distant is None else f"the store at {settings.store.url}"
        _log.info("recording into %s, answering at %s", where, url)
        with port:
            Server(config).run(sockets=[listener])
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, at_once)
        level = logging.DEBUG if runtime.started is None else logging.INFO
        _log.log(level, "stopping")
        runtime.stop(end.left)
        end.done()
        default.install(None)
        _log.log(level, "stopped")


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    """Signals before uvicorn takes them over and after it gives them back (it raises them again then)."""
    raise _Left
