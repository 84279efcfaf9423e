"""Records, and answers over HTTP, without the dashboard. Exit code: 0 when stopped, 2 when it could not start."""

from __future__ import annotations

import argparse
import ipaddress
import logging
import signal
import socket
from contextlib import suppress
from types import FrameType
from typing import NoReturn

import msgspec

from perf import default, logs
from perf import settings as tree
from perf.cli import remote
from perf.cli.address import ListenError, listening, loopback_url
from perf.errors import SettingsError
from perf.runtime import Runtime
from perf.settings import ServerSettings, Settings

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
    parser.add_argument("--host", help="address to listen on (default: server.host of the settings)")
    parser.add_argument("--port", type=int, help="0 takes a free one (default: server.port of the settings)")


def run(options: argparse.Namespace) -> int:
    """Serve until a signal comes."""
    settings = _with_options(tree.load(options.config), options.host, options.port)
    hosts = answered_hosts(settings)
    logs.configure(settings.logs)
    previous = [signal.signal(number, _leave) for number in (signal.SIGTERM, signal.SIGINT)]
    try:
        with _listener(settings.server) as listener, suppress(_Left):
            _serve(settings, listener, hosts)
    finally:
        for number, handler in zip((signal.SIGTERM, signal.SIGINT), previous, strict=True):
            signal.signal(number, handler)
    return 0


def answered_hosts(settings: Settings) -> tuple[str, ...]:
    """Host names beside loopback's that are answered.

    Raises: SettingsError for an address that others reach, unless ``insecure`` says that everybody may see everything.
    """
    if settings.insecure:
        return ("*",)
    host = settings.server.host
    if not is_loopback(host):
        raise SettingsError(
            f"server.host: {host or 'every address'} can be reached by others, and there is no sign-in; "
            "listen on 127.0.0.1, or set PERF_INSECURE=1 if everybody who reaches it may see everything"
        )
    return ()


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches *host*."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _with_options(settings: Settings, host: str | None, port: int | None) -> Settings:
    """*settings* with the address of the command line. Raises: SettingsError."""
    if port is not None and not 0 <= port <= 65_535:
        raise SettingsError(f"--port: from 0 to 65535, not {port}")
    server = msgspec.structs.replace(
        settings.server,
        host=settings.server.host if host is None else host,
        port=settings.server.port if port is None else port,
    )
    return msgspec.structs.replace(settings, server=server)


def _listener(server: ServerSettings) -> socket.socket:
    """The listening socket. Raises: ListenError, saying so when perf has the port already."""
    try:
        return listening(server)
    except ListenError as error:
        running = remote.answers(loopback_url(server.host, server.port))
        hint = "a monitor is running there already" if running else "choose another with --port or PERF_SERVER__PORT"
        raise ListenError(f"{error}; {hint}") from error


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
