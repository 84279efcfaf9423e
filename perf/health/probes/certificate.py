"""How long is the certificate of a TLS server still valid, and is it trusted?"""

from __future__ import annotations

import socket
import ssl
from typing import Annotated

import msgspec
from cryptography import x509

from perf.errors import SettingsError
from perf.health.findings import Findings, failed
from perf.health.options import ProbeOptions
from perf.health.surroundings import Surroundings
from perf.model import ProbeResult, Status
from perf.settingtree import Seconds, says

_DAY = 86_400.0


class CertificateOptions(ProbeOptions, frozen=True, kw_only=True):
    """Which server, and how long before the end to speak."""

    host: Annotated[str, says("name or address of the server")]
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535), says("its port")] = 443
    server_name: Annotated[str, says("name that is asked for and checked; else the host")] = ""
    warning: Annotated[Seconds, says("degraded when it ends sooner")] = 21 * _DAY
    limit: Annotated[Seconds, says("unhealthy when it ends sooner")] = 7 * _DAY
    verify: Annotated[bool, says("false: only the date counts, not who signed it")] = True
    ca_file: Annotated[str, says("certificates to trust instead of the system's")] = ""
    interval: Annotated[Seconds, says("how often it runs")] | None = 3600.0


class CertificateProbe:
    """A TLS handshake; what is sent over it afterwards doesn't matter."""

    Options = CertificateOptions

    def __init__(self, options: CertificateOptions, around: Surroundings) -> None:
        """Raises: SettingsError for certificates that can't be read, or limits that contradict each other."""
        if options.limit > options.warning:
            raise SettingsError("limit: it must not be longer than warning")
        self._options, self._around = options, around
        try:
            self._context = ssl.create_default_context(cafile=options.ca_file or None)
        except OSError as error:
            raise SettingsError(f"ca_file: {options.ca_file}: {error.strerror or error}") from error
        if not options.verify:
            self._context.check_hostname = False
            self._context.verify_mode = ssl.CERT_NONE

    def check(self) -> ProbeResult:
        """Unhealthy when it isn't trusted, is over, or soon will be, or when the server can't be reached."""
        options, clock = self._options, self._around.clock
        where = f"{options.server_name or options.host}:{options.port}"
        try:
            held = self._certificate()
        except ssl.SSLCertVerificationError as error:
            return failed(Status.UNHEALTHY, f"{where}: not trusted: {error.verify_message}", clock)
        except (OSError, ValueError) as error:
            return failed(Status.UNHEALTHY, f"{where}: no certificate: {str(error) or type(error).__name__}", clock)
        end = held.not_valid_after_utc
        left = end.timestamp() - clock.now()
        found = Findings()
        found.evidence["days_left"] = left / _DAY
        ends = f"{where}: ends {end:%Y-%m-%d %H:%M} UTC"
        if left <= 0:
            found.add(Status.UNHEALTHY, f"{where}: ended {end:%Y-%m-%d %H:%M} UTC")
        elif held.not_valid_before_utc.timestamp() > clock.now():
            found.add(Status.UNHEALTHY, f"{where}: begins {held.not_valid_before_utc:%Y-%m-%d %H:%M} UTC")
        else:
            found.above(-left, -options.warning, -options.limit, f"{ends}, in {left / _DAY:.1f} days")
        return found.result(f"{ends}, in {left / _DAY:.0f} days", clock)

    def _certificate(self) -> x509.Certificate:
        options = self._options
        address, timeout = (options.host, options.port), self._around.timeout
        with (
            socket.create_connection(address, timeout) as plain,
            self._context.wrap_socket(plain, server_hostname=options.server_name or options.host) as secured,
        ):
            content = secured.getpeercert(binary_form=True)
        if not content:
            raise ValueError("the server showed none")
        return x509.load_der_x509_certificate(content)
