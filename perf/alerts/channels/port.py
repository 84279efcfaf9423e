"""What a channel is, and what it is given."""

from __future__ import annotations

import hashlib
from typing import Protocol

import msgspec

from perf.errors import PerfError
from perf.model import Notification, Severity


class ChannelError(PerfError):
    """A message wasn't taken: for good when *permanent*, else it may be tried again, not before *retry_after* seconds."""

    def __init__(self, message: str, *, permanent: bool = False, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.retry_after = retry_after


class Message(msgspec.Struct, frozen=True):
    """Notifications that go out as one, the oldest first; at least one."""

    notifications: tuple[Notification, ...]

    @property
    def id(self) -> str:
        """The same however often these are sent."""
        if len(self.notifications) == 1:
            return self.notifications[0].id
        text = "\0".join(sorted(one.id for one in self.notifications))
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    @property
    def title(self) -> str:
        """One line."""
        if len(self.notifications) == 1:
            return self.notifications[0].title
        firing = sum(one.kind != "resolved" for one in self.notifications)
        over = len(self.notifications) - firing
        counts = [f"{n} {what}" for n, what in ((firing, "firing"), (over, "resolved")) if n]
        return f"{', '.join(counts)}: {self.notifications[0].title} and {len(self.notifications) - 1} more"

    @property
    def severity(self) -> Severity:
        """The worst."""
        return max((one.severity for one in self.notifications), key=lambda severity: severity.rank)

    @property
    def resolved(self) -> bool:
        """Whether all of it is over."""
        return all(one.kind == "resolved" for one in self.notifications)


class Channel(Protocol):
    """A way to tell somebody; used from one thread at a time."""

    def send(self, message: Message) -> None:
        """Deliver *message*. Raises: ChannelError."""
