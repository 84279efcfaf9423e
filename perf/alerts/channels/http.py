"""One POST to a checked address, with nothing left to the other side: no redirects, little read, little waited for."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from time import perf_counter

import msgspec

from perf.alerts.channels.port import ChannelError
from perf.alerts.targets import Target, TargetError, checked
from perf.alertsettings import TargetSettings

READ = 4096
SHOWN = 200
_AGAIN = frozenset({408, 425, 429})


class Answer(msgspec.Struct, frozen=True):
    """What a receiver said: its status, and the start of its text in plain characters."""

    status: int
    text: str


class _Pinned(http.client.HTTPConnection):
    """A connection to the address that was checked, whatever the name means by now; all that is done with it takes *timeout* seconds."""

    def __init__(self, target: Target, timeout: float, context: ssl.SSLContext | None) -> None:
        super().__init__(target.host, target.port, timeout=timeout)
        self._target = target
        self._context = context
        self._deadline = perf_counter() + timeout

    def left(self) -> float:
        """Seconds until its end. Raises: TimeoutError when that is over."""
        seconds = self._deadline - perf_counter()
        if seconds <= 0.0:
            raise TimeoutError
        return seconds

    def connect(self) -> None:
        """Connect; with TLS the certificate must be the host's."""
        self.sock = self._opened()
        self.sock.settimeout(self.left())  # for a handshake as a whole
        if self._context is not None:
            self.sock = self._context.wrap_socket(self.sock, server_hostname=self._target.host)
        # The connection itself forgets it while an answer without a length is still read.
        self.opened = self.sock

    def _opened(self) -> socket.socket:
        """The first address that takes a connection; each may use its share of the time, so that one that hangs leaves some."""
        *others, last = self._target.addresses
        for tried, address in enumerate(others):
            with contextlib.suppress(OSError):
                share = self.left() / (len(self._target.addresses) - tried)
                return socket.create_connection((address, self._target.port), share)
        return socket.create_connection((last, self._target.port), self.left())


def post(url: str, body: bytes, headers: Mapping[str, str], settings: TargetSettings) -> Answer:
    """Send *body* as JSON. Raises: ChannelError when it wasn't taken."""
    try:
        target = checked(url, settings)
    except TargetError as error:
        raise ChannelError(str(error), permanent=error.permanent) from error
    sent = {"content-type": "application/json", "user-agent": "perf", **headers}
    connection = _Pinned(target, settings.timeout, _context(target, settings))
    cut = threading.Event()
    try:
        connection.connect()
        with _ending(connection, cut):
            connection.request("POST", target.path, body, sent)
            response = connection.getresponse()
            answer = Answer(response.status, _plain(response.read(READ)))
        after, date = response.getheader("retry-after"), response.getheader("date")
    except ssl.SSLCertVerificationError as error:
        raise ChannelError(f"{target.host}: {error.verify_message}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        if isinstance(error, TimeoutError) or cut.is_set():
            raise ChannelError(f"{target.host}: no answer within {settings.timeout:g} s") from error
        raise ChannelError(f"{target.host}: {type(error).__name__}: {error}") from error
    finally:
        connection.close()
    _judge(target.host, answer, _seconds(after, date))
    return answer


def _context(target: Target, settings: TargetSettings) -> ssl.SSLContext | None:
    if target.scheme != "https":
        return None
    try:
        return ssl.create_default_context(cafile=settings.ca_file or None)
    except OSError as error:
        raise ChannelError(f"alerts.targets.ca_file: {error.strerror}") from error


@contextlib.contextmanager
def _ending(connection: _Pinned, cut: threading.Event) -> Iterator[None]:
    """End an exchange that drips along when its time is over: each byte in time, but never all of them."""
    late = threading.Timer(connection.left(), _cut, (connection, cut))
    late.daemon = True
    late.start()
    try:
        yield
    finally:
        late.cancel()


def _cut(connection: _Pinned, cut: threading.Event) -> None:
    cut.set()
    with contextlib.suppress(OSError):
        connection.opened.shutdown(socket.SHUT_RDWR)


def _judge(host: str, answer: Answer, after: float | None) -> None:
    if 200 <= answer.status < 300:
        return
    said = f": {answer.text}" if answer.text else ""
    again = answer.status >= 500 or answer.status in _AGAIN
    if 300 <= answer.status < 400:
        said = ", which leads elsewhere and is not followed"
    raise ChannelError(
        f"{host}: status {answer.status}{said}", permanent=not again, retry_after=after if again else None
    )


def _plain(said: bytes) -> str:
    text = said.decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else " " for letter in text)[:SHOWN].strip()


def _seconds(retry_after: str | None, date: str | None) -> float | None:
    """``Retry-After`` as seconds: a number, or a date against the answer's own ``Date``."""
    if not retry_after:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    with contextlib.suppress(ValueError, TypeError):
        return max(0.0, (parsedate_to_datetime(retry_after) - parsedate_to_datetime(date or "")).total_seconds())
    return None
