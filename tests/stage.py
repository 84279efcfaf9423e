"""A server on loopback that answers what a test puts on it: statuses, headers, halves of answers, silence."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Asked(NamedTuple):
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Act(NamedTuple):
    """One answer: with *length* another one is announced than comes; *hang* waits for the end of the test; *drop* hangs up instead;
    *after* is waited for.
    """

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = {}
    length: int | None = None
    hang: bool = False
    drop: bool = False
    after: threading.Event | None = None


class Stage(ThreadingHTTPServer):
    """Plays *acts* one after another, and the last again and again; keeps what was asked, and counts connections."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Answering)
        self.acts: list[Act] = [Act()]
        self.asked: list[Asked] = []
        self.connections = 0
        self.over = threading.Event()
        self._turn = threading.Lock()
        self.scheme = "http"

    @property
    def url(self) -> str:
        """Its address."""
        return f"{self.scheme}://127.0.0.1:{self.server_port}"

    def next_act(self) -> Act:
        """What is to be played now."""
        with self._turn:
            return self.acts.pop(0) if len(self.acts) > 1 else self.acts[0]


class _Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Stage

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def handle_expect_100(self) -> bool:
        return True

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append(Asked(self.command, self.path, headers, body))
        act = self.server.next_act()
        if act.hang:
            self.server.over.wait()
        if act.after is not None:
            act.after.wait()
        if act.drop or act.hang:
            self.close_connection = True
            return
        self.send_response(act.status)
        for name, value in act.headers.items():
            self.send_header(name, value)
        if act.status != 204:
            self.send_header("Content-Length", str(len(act.body) if act.length is None else act.length))
        self.end_headers()
        if act.status != 204:
            self.wfile.write(act.body)
        if act.length is not None:
            self.close_connection = True

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Keep test output clean."""


@contextmanager
def stage(*, port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[Stage]:
    """A running `Stage`; with *tls* it speaks https."""
    with Stage(port) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
            server.scheme = "https"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.over.set()
            server.shutdown()
            thread.join(5)
