"""A real nginx with our own template in front of real dashboards, and clients that trust its certificate."""

from __future__ import annotations

import http.client
import shutil
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from perf.clock import SystemClock
from tests.services import ROOT, environment, program
from tests.signedin import Answer

TEMPLATE = ROOT / "deploy" / "nginx" / "perf.conf"
MAIN = """\
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
worker_processes 1;
events {{ worker_connections 256; }}
http {{
    log_format whole '$remote_addr $request_method $request_uri $status $upstream_addr';
    access_log {folder}/access.log whole;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/perf.conf;
}}
"""
DASHBOARD = "    server 127.0.0.1:8503 max_fails=0;\n"
HEALTH = "    server 127.0.0.1:8502 max_fails=0;\n"


class Front:
    """nginx's two ports, the certificate that it shows, and its log."""

    def __init__(self, folder: Path, plain: int, secure: int) -> None:
        self.plain, self.secure = plain, secure
        self.certificate, self.log = folder / "perf.crt", folder / "access.log"
        self.url = f"https://localhost:{secure}"

    def ask(
        self, path: str, method: str = "GET", body: bytes | None = None, *, source: str = "127.0.0.1", **headers: str
    ) -> Answer:
        """The answer over TLS to a client at *source*, redirects not followed; ``_`` in names of *headers* is ``-``.

        Raises: OSError, http.client.HTTPException when there is none.
        """
        context = ssl.create_default_context(cafile=str(self.certificate))
        connection = http.client.HTTPSConnection(
            "localhost", self.secure, timeout=30.0, context=context, source_address=(source, 0)
        )
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            found = response.getheaders()
            cookies = [value for name, value in found if name.lower() == "set-cookie"]
            return Answer(response.status, {name.lower(): value for name, value in found}, cookies, response.read())
        finally:
            connection.close()

    def ready(self) -> bool:
        """Whether it listens, and a dashboard behind it is ready."""
        try:
            return self.ask("/perf/health/ready").status == 200
        except OSError:
            return False

    def behind(self, path: str) -> list[str]:
        """Who was asked for each request of *path* so far, the newest last: an address, or several that were tried."""
        lines = (line.split(" ", 4) for line in self.log.read_text(encoding="utf-8").splitlines())
        return [upstream for _, _, asked, _, upstream in lines if asked == path]


@contextmanager
def front(folder: Path, ports: tuple[int, int], dashboards: Sequence[int], health: Sequence[int]) -> Iterator[Front]:
    """A running nginx on *ports* (plain, TLS) before *dashboards* and their *health* ports; it need not answer yet."""
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
    if nginx is None:
        pytest.skip("nginx is not installed")
    for parent in (folder, *folder.parents[:2]):
        parent.chmod(0o755)  # nginx's workers are somebody else when it is started by root
    plain, secure = ports
    certificate, key = certified(folder)
    template = filled(
        {
            "listen 80;": f"listen 127.0.0.1:{plain};",
            "listen 443 ssl": f"listen 127.0.0.1:{secure} ssl",
            "perf.example.org": "localhost",
            DASHBOARD: "".join(DASHBOARD.replace("8503", str(port)) for port in dashboards),
            HEALTH: "".join(HEALTH.replace("8502", str(port)) for port in health),
            "/etc/nginx/perf.crt": str(certificate),
            "/etc/nginx/perf.key": str(key),
        }
    )
    (folder / "perf.conf").write_text(template, encoding="utf-8")
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder), encoding="utf-8")
    command = [nginx, "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with program(command, env=environment(), log=folder / "nginx.log"):
        yield Front(folder, plain, secure)


def certified(folder: Path) -> tuple[Path, Path]:
    """A certificate for localhost and its key, as files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.fromtimestamp(SystemClock().now(), UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, secret = folder / "perf.crt", folder / "perf.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    no_password = serialization.NoEncryption()
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, no_password))
    return certificate, secret


def filled(changes: Mapping[str, str]) -> str:
    """Our template with *changes*; each must be there to be changed."""
    text = TEMPLATE.read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return text
