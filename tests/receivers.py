"""Real receivers of notifications for tests: an HTTP server that misbehaves on request, and an SMTP server with TLS and sign-in."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import shutil
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.services import answers, environment, eventually, free_port, program


class Request(NamedTuple):
    """What came: path, headers in lower case, and the body."""

    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:  # Any: JSON
        """The body, parsed."""
        return json.loads(self.body)


class Receiver:
    """Takes POSTs. *behave* answers each: a status, or status and headers; None hangs until the end."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.requests: list[Request] = []
        self.behave: Callable[[Request], tuple[int, dict[str, str]] | None] = lambda _: (200, {})
        self.over = threading.Event()

    def ids(self) -> list[str]:
        """The message ids that came, in order."""
        return [request.headers.get("webhook-id", "") for request in self.requests]


@contextmanager
def receiver(port: int | None = None, tls: tuple[Path, Path] | None = None) -> Iterator[Receiver]:
    """A running receiver; *port*: a free one by default; with *tls*, a certificate and its key, it speaks HTTPS."""
    known = Receiver(port or free_port())

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            request = Request(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            known.requests.append(request)
            answer = known.behave(request)
            if answer is None:
                known.over.wait(30.0)
                return
            with suppress(OSError):
                self.send_response(answer[0])
                for name, value in {"content-length": "0", **answer[1]}.items():
                    self.send_header(name, value)
                self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", int(known.url.rpartition(":")[2])), Answering)
    server.daemon_threads = True
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        known.url = known.url.replace("http:", "https:")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield known
    finally:
        known.over.set()
        server.shutdown()
        server.server_close()
        thread.join(5.0)


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate and key of 127.0.0.1 and localhost, signed by themselves, as files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    begin = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + dt.timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
    return cert_file, key_file


class Mailbox:
    """What an SMTP server took; *refuse* answers a recipient, such as ``550 no``, unless *answers* has one for that address."""

    def __init__(self) -> None:
        self.mails: list[Envelope] = []
        self.refuse = ""
        self.answers: dict[str, str] = {}

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take or refuse a recipient."""
        if refused := self.answers.get(address, self.refuse):
            return refused
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Keep a mail."""
        self.mails.append(envelope)
        return "250 OK"


@contextmanager
def smtp(folder: Path, user: str, password: str) -> Iterator[tuple[Mailbox, int, Path]]:
    """An SMTP server that wants STARTTLS and then a sign-in: its mailbox, port and certificate."""
    cert_file, key_file = certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert_file, key_file)
    box, port = Mailbox(), free_port()

    def signed_in(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        right = isinstance(data, LoginPassword) and (data.login, data.password) == (user.encode(), password.encode())
        return AuthResult(success=right, handled=False)  # it tells the client itself

    # Without a name of its own it would look this machine's up; it waits 5 s for itself by default.
    server = Controller(
        box, hostname="127.0.0.1", port=port, tls_context=context, require_starttls=True, auth_required=True,
        authenticator=signed_in, server_hostname="localhost", ready_timeout=60.0,
    )  # fmt: skip
    server.start()
    try:
        yield box, port, cert_file
    finally:
        server.stop()


@contextmanager
def alertmanager(folder: Path, hook: str = "http://127.0.0.1:9") -> Iterator[str]:
    """The address of a running Alertmanager that sends to *hook*; skips the test without one."""
    command = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if command is None:
        pytest.skip("prometheus-alertmanager is not installed")
    config = folder / "alertmanager.yml"
    config.write_text(
        "route: {receiver: hook, group_by: [alertname], group_wait: 0s, group_interval: 1s}\n"
        f"receivers: [{{name: hook, webhook_configs: [{{url: '{hook}', send_resolved: true}}]}}]\n",
        encoding="utf-8",
    )
    port = free_port()
    options = [f"--config.file={config}", f"--storage.path={folder / 'am'}", f"--web.listen-address=127.0.0.1:{port}"]
    with program([command, *options, "--cluster.listen-address="], env=environment(), log=folder / "am.log"):
        eventually(lambda: answers(f"http://127.0.0.1:{port}/-/ready"), seconds=60.0)
        yield f"http://127.0.0.1:{port}"
