"""Where a server listens, and how this machine reaches it."""

from __future__ import annotations

import os
import socket

from perf.errors import PerfError
from perf.settings import ServerSettings


class ListenError(PerfError):
    """The address can't be listened on."""


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
