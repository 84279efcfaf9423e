"""Where a server listens, and how this machine reaches it."""

from __future__ import annotations

import argparse
import os
import socket

import msgspec

from perf.cli import remote
from perf.errors import PerfError, SettingsError
from perf.settings import ServerSettings, Settings


class ListenError(PerfError):
    """The address can't be listened on."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that say where to listen."""
    parser.add_argument("--host", help="address to listen on (default: server.host of the settings)")
    parser.add_argument("--port", type=int, help="0 takes a free one (default: server.port of the settings)")


def addressed(settings: Settings, host: str | None, port: int | None) -> Settings:
    """*settings* with the address of the command line. Raises: SettingsError."""
    if port is not None and not 0 <= port <= 65_535:
        raise SettingsError(f"--port: from 0 to 65535, not {port}")
    server = msgspec.structs.replace(
        settings.server,
        host=settings.server.host if host is None else host,
        port=settings.server.port if port is None else port,
    )
    return msgspec.structs.replace(settings, server=server)


def loopback_url(host: str, port: int) -> str:
    """The address by which this machine reaches a server that listens on *host* and *port*."""
    reached = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # to read, not to listen
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


def listening(server: ServerSettings) -> socket.socket:
    """A socket that listens on the address of *server*. Raises: ListenError."""
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    try:
        return socket.create_server((server.host, server.port), family=family, backlog=128)
    except OSError as error:
        # The text of a socket's error says where once more; that of a name that can't be looked up has no number.
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise ListenError(f"can't listen on {server.host}:{server.port}: {reason}") from error


def listener(server: ServerSettings) -> socket.socket:
    """A socket that listens on the address of *server*. Raises: ListenError, saying so when perf has the port already."""
    try:
        return listening(server)
    except ListenError as error:
        running = remote.answers(loopback_url(server.host, server.port))
        hint = "a monitor is running there already" if running else "choose another with --port or PERF_SERVER__PORT"
        raise ListenError(f"{error}; {hint}") from error
