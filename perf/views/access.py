"""Who may come in: people by sessions, programs by keys, the command line of this machine by the owner's token."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING

from perf.access import passwords
from perf.access.sessions import Session, Signer, secret_of
from perf.access.throttle import Throttle
from perf.access.vouching import Person
from perf.errors import PerfError, StoreAway
from perf.model.access import LOCAL, Principal, Revocation, Role, Scope
from perf.ports import Clock, Distant, MetricStore
from perf.settings import Settings
from perf.settings.access import AccessSettings, User
from perf.store.writer import Writer
from perf.views.audit import AuditLog
from perf.views.keys import KeyRing
from perf.views.writes import written

if TYPE_CHECKING:
    from perf.access.oidc import Provider

OWNER = Principal(name="owner", via="owner", scopes=frozenset(Scope))
"""Whoever can read the note beside the store: the same user on the same machine."""
_ALL_OF = "name:"


class SignInError(PerfError):
    """A sign-in that is refused; *wait* is how long until the next may be tried, in seconds."""

    def __init__(self, message: str, *, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


class Access:
    """Everything about who asks one owner. May be used from any thread."""

    def __init__(self, settings: Settings, store: MetricStore, writer: Writer, clock: Clock, token: str = "") -> None:
        """*token* is the owner's own, for the command line. Raises: SettingsError when sessions can't be signed."""
        self.settings = settings.access
        self.audit = AuditLog(store, writer, clock)
        self.keys = KeyRing(store, writer, clock, self.audit)
        self.provider = _provider(settings.access, clock) if settings.access.oidc.issuer else None
        self._signer = Signer(secret_of(settings) if self.signs_in else secrets.token_urlsafe(32))
        self._throttle = Throttle(clock)
        self._store, self._writer, self._clock, self._token = store.access, writer, clock, token
        self._revoked: list[Revocation] | None = None
        self.slow = isinstance(store, Distant)  # Whether the answers here may take a question to an owner elsewhere.

    @property
    def signs_in(self) -> bool:
        """Whether anybody can sign in."""
        return self.settings.signs_in

    @property
    def guarded(self) -> bool:
        """Whether everybody has to show who they are; otherwise everybody who gets here is local."""
        return self.settings.guarded

    @property
    def signer(self) -> Signer:
        """Signs what browsers bring back."""
        return self._signer

    def session(self, cookie: str) -> Session | None:
        """The session of *cookie*, as long as it holds. Raises: StoreError when that can't be told."""
        found = self._signer.opened(cookie, Session) if cookie and self.signs_in else None
        if found is None or found.expires <= self._clock.now() or self._role(found) is None or self._ended(found):
            return None
        return found

    def person(self, cookie: str) -> Principal | None:
        """Who is signed in with *cookie*; where nobody has to be, everybody is local."""
        if not self.guarded:
            return LOCAL
        session = self.session(cookie)
        return self.principal(session) if session is not None else None

    def principal(self, session: Session) -> Principal | None:
        """Whom *session* stands for, with the role that they have now."""
        role = self._role(session)
        return None if role is None else Principal(name=session.name, via=session.via, scopes=role.scopes)

    def program(self, text: str) -> Principal | None:
        """Whom a key, or the owner's token, stands for. Raises: StoreError when that can't be told."""
        if self._token and hmac.compare_digest(text.encode(), self._token.encode()):
            return OWNER
        return self.keys.principal(text)

    def sign_in(self, name: str, password: str, address: str) -> Session:
        """A session for *name*. Takes 0.2 s of a core. Raises: SignInError."""
        wait = self._throttle.begin(address, name)
        if wait:
            self.audit.note("sign-in.throttled", name[:100])
            raise SignInError("Too many attempts. Try again later.", wait=wait)
        if not passwords.verified(self.settings.users, name, password):
            self.audit.note("sign-in.failed", name[:100])
            raise SignInError("Name or password is wrong.")
        self._throttle.succeeded(address, name)
        return self._begun(name, "password", print_=_print(self.settings.users[name]))

    def vouched(self, person: Person) -> Session:
        """A session for somebody whom the provider vouches for."""
        return self._begun(person.name, "oidc", role=person.role)

    def sign_out(self, session: Session) -> None:
        """End *session* before its time. Raises: StoreError."""
        revocation = Revocation(subject=session.id, since=self._clock.now(), until=session.expires)
        self._revoke(revocation)
        self.audit.note("sign-out", session.name, by=session.name)

    def end_sessions(self, name: str, *, author: str) -> None:
        """End every session that *name* has now. Raises: StoreError."""
        now = self._clock.now()
        self._revoke(Revocation(subject=_ALL_OF + name, since=now, until=now + self.settings.session))
        self.audit.note("sessions.end", name, by=author)

    def _begun(self, name: str, via: str, *, role: Role | None = None, print_: str = "") -> Session:
        now = self._clock.now()
        session = Session(
            id=secrets.token_urlsafe(18),
            name=name,
            via=via,
            began=now,
            expires=now + self.settings.session,
            role=role,
            print=print_,
        )
        self.audit.note("sign-in", name, after=via, by=name)
        return session

    def _revoke(self, revocation: Revocation) -> None:
        written(self._writer, lambda: self._store.revoke(revocation, self._clock.now()), "sign-out")

    def _role(self, session: Session) -> Role | None:
        """The role that whoever has *session* has now; None when they are gone, or their password was changed."""
        if session.via == "oidc":
            return session.role if self.provider is not None else None
        user = self.settings.users.get(session.name)
        return user.role if user is not None and hmac.compare_digest(session.print, _print(user)) else None

    def _ended(self, session: Session) -> bool:
        for one in self._revocations():
            if one.subject == session.id or (one.subject == _ALL_OF + session.name and session.began <= one.since):
                return True
        return False

    def _revocations(self) -> list[Revocation]:
        """What is known of ended sessions; while the owner is away as of before: nobody ends one there meanwhile."""
        try:
            self._revoked = self._store.revocations()
        except StoreAway:
            if self._revoked is None:
                raise
        return self._revoked


def _print(user: User) -> str:
    """What tells whether the password is still the one that somebody signed in with."""
    return hashlib.sha256(user.hash.encode()).hexdigest()[:16]


def _provider(settings: AccessSettings, clock: Clock) -> Provider:
    from perf.access.oidc import Provider  # a quarter of a second that everybody else is spared

    return Provider(settings, clock)
