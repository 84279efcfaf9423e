"""Notifications by email: SMTP with STARTTLS or TLS, text and HTML."""

from __future__ import annotations

import html
import smtplib
import socket
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime

from perf.alerts.channels.port import ChannelError, Message
from perf.alerts.templates import LISTED, named
from perf.alertsettings import AlertSettings, EmailSettings
from perf.errors import SettingsError
from perf.model import Notification
from perf.ports import Clock

_COLOURS = {"low": "#4e79a7", "medium": "#b07d00", "high": "#c4500a", "critical": "#b3001b"}


class EmailChannel:
    """One message to all recipients, under a Message-ID that stays the same when it is sent again; who has it is left out when
    another needs a second try.
    """

    def __init__(self, settings: AlertSettings, _clock: Clock) -> None:
        """Raises: SettingsError without a server or recipients."""
        if not settings.email.host or not settings.email.to:
            raise SettingsError("the channel email is not set up: alerts.email.host and alerts.email.to")
        self._settings = settings.email
        self._timeout = settings.targets.timeout
        self._link = settings.link
        self._taken: tuple[str, set[str]] = ("", set())

    def send(self, message: Message) -> None:
        """Deliver *message* to all. Raises: ChannelError; only what the server says for good (5xx) is permanent."""
        if self._taken[0] != message.id:
            self._taken = (message.id, set())
        left = [address for address in map(_line, self._settings.to) if address not in self._taken[1]]
        if left:
            self._send(written(message, self._settings, self._link), left)

    def _send(self, mail: EmailMessage, recipients: Sequence[str]) -> None:
        try:
            with self._connected() as server:
                refused = server.send_message(mail, to_addrs=recipients)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            raise ChannelError(f"every recipient was refused: {codes[0]}", permanent=min(codes) >= 500) from error
        except smtplib.SMTPAuthenticationError as error:
            # Not for good: somebody sets the password right, and what waits is sent.
            raise ChannelError(f"{self._settings.host}: sign-in refused: {error.smtp_code}") from error
        except smtplib.SMTPResponseException as error:
            said = (
                error.smtp_error.decode("utf-8", "replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
            )
            text = f"{self._settings.host}: {error.smtp_code} {said[:200]}"
            raise ChannelError(text, permanent=500 <= error.smtp_code < 600) from error
        except (OSError, smtplib.SMTPException) as error:
            raise ChannelError(f"{self._settings.host}: {type(error).__name__}: {error}") from error
        self._taken[1].update(address for address in recipients if address not in refused)
        if refused:
            said = ", ".join(f"{address}: {code}" for address, (code, _) in sorted(refused.items()))
            permanent = min(code for code, _ in refused.values()) >= 500
            raise ChannelError(f"{self._settings.host}: refused for {said[:200]}", permanent=permanent)

    def _connected(self) -> smtplib.SMTP:
        host, port, ca_file = self._settings.host, self._settings.port, self._settings.ca_file or None
        if self._settings.security == "tls":
            context = ssl.create_default_context(cafile=ca_file)
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=self._timeout, context=context)
        else:
            server = smtplib.SMTP(host, port, timeout=self._timeout)
        try:
            if self._settings.security == "starttls":
                server.starttls(context=ssl.create_default_context(cafile=ca_file))
            if self._settings.username:
                server.login(self._settings.username, self._settings.password)
        except BaseException:
            server.close()
            raise
        return server


def written(message: Message, settings: EmailSettings, link: str) -> EmailMessage:
    """*message* as an email."""
    mail = EmailMessage()
    mail["Subject"] = _line(message.title)
    mail["From"] = _line(settings.sender or settings.username or f"perf@{socket.gethostname()}")
    mail["To"] = ", ".join(_line(address) for address in settings.to)
    mail["Date"] = format_datetime(datetime.fromtimestamp(message.notifications[0].created, UTC))
    mail["Message-ID"] = f"<{_line(message.id).replace(' ', '_')}@perf>"
    mail["Auto-Submitted"] = "auto-generated"
    if message.severity.value == "critical" and not message.resolved:
        mail["X-Priority"] = "1"
    shown, more = message.notifications[:LISTED], max(0, len(message.notifications) - LISTED)
    rest = [f"... and {more} more"] if more else []
    mail.set_content("\n\n".join([*(f"{one.title}\n{one.text}" for one in shown), *rest, *([link] if link else [])]))
    parts = [*(_html(one) for one in shown), *(f"<p>{text}</p>" for text in rest)]
    if link:
        parts.append(f'<p><a href="{html.escape(link)}">Open the dashboard</a></p>')
    mail.add_alternative(f'<div style="font-family:sans-serif">{"".join(parts)}</div>', subtype="html")
    return mail


def _html(one: Notification) -> str:
    colour = "#2e7d32" if one.kind == "resolved" else _COLOURS[one.severity.value]
    text = html.escape(one.text).replace("\n", "<br>")
    return (
        f'<div style="border-left:4px solid {colour};padding-left:12px;margin:12px 0">'
        f"<b>{html.escape(one.title)}</b><p>{text}</p><small>{html.escape(named(one.labels))}</small></div>"
    )


def _line(text: str) -> str:
    """*text* as a header may hold it: a line break would begin another header."""
    return " ".join(text.split())[:300]
